// The studio's form: everything here only makes comfortable what the form can do by itself.

import { bindDependentFields } from "./dependent-fields.js";
import { composing } from "./ime.js";
import { pictureInput } from "./picture.js";

const WAIT_REFRESH = 15000;

const form = document.querySelector("[data-studio]");
const button = form.querySelector("[data-submit]");
const prompt = form.querySelector("[data-prompt]");
const key = form.elements.key;

// --- Sending: once, by button or Ctrl/Cmd+Enter ------------------------------------------------------

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !composing(event)) {
    event.preventDefault();
    form.requestSubmit(button);
  }
});

form.addEventListener("submit", (event) => {
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  button.setAttribute("aria-disabled", "true");
});

addEventListener("pageshow", (event) => {
  delete form.dataset.sent;
  button.removeAttribute("aria-disabled");
  // Whoever comes back to change something submits something new.
  if (event.persisted) key.value = freshKey();
});

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- Prompt ----------------------------------------------------------------------------------------

for (const chip of form.querySelectorAll("[data-example]")) {
  chip.addEventListener("click", () => {
    prompt.value = chip.dataset.example;
    prompt.focus();
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
if (prompt?.value) prompt.setSelectionRange(prompt.value.length, prompt.value.length);
(form.querySelector("[aria-invalid]") ?? form.querySelector("[data-form-errors]"))?.focus();

// --- Dependent fields ------------------------------------------------------------------------------

bindDependentFields(form);

// --- Numbers ---------------------------------------------------------------------------------------

// Listened to from the form: parts of it may be exchanged.
form.addEventListener("input", (event) => {
  const range = event.target;
  if (range.type !== "range") return;
  range.parentElement.querySelector("output").textContent = range.value + (range.dataset.unit ?? "");
});

form.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  const input = step?.closest("[data-stepper]").querySelector("input");
  if (!input) return;
  if (step.dataset.step > 0) input.stepUp();
  else input.stepDown();
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

// --- Seed: empty is another each time, locked is this one -------------------------------------------

const seed = form.elements.seed;
const lock = form.querySelector("[data-lock]");

const setLock = (on) => lock.setAttribute("aria-pressed", String(on));
const throwDice = () => {
  seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  setLock(true);
};
// Kinds in which chance has no part have no seed.
if (seed) {
  setLock(seed.value !== "");
  seed.addEventListener("input", () => setLock(seed.value !== ""));
  form.querySelector("[data-dice]").addEventListener("click", throwDice);
}
lock?.addEventListener("click", () => {
  if (lock.getAttribute("aria-pressed") === "true") {
    lock.dataset.last = seed.value;
    seed.value = "";
    setLock(false);
  } else if (lock.dataset.last) {
    seed.value = lock.dataset.last;
    setLock(true);
  } else {
    throwDice();
  }
});

// --- Pictures ----------------------------------------------------------------------------------------

const pictures = [...form.querySelectorAll("[data-picture]")].map((field) => pictureInput(field));

// A picture that is pasted goes to the first place that waits for one.
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!file || !pictures.length) return;
  event.preventDefault();
  const place = pictures.find((picture) => picture.empty) ?? pictures[0];
  const fold = place.field.closest("details");
  if (fold) fold.open = true;
  place.take(file);
});

// --- The wait beside the button stays true while somebody thinks ---------------------------------------

setInterval(async () => {
  if (document.hidden || form.dataset.sent || !form.querySelector("[data-wait]")) return;
  try {
    const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("[data-wait]");
    if (fresh) form.querySelector("[data-wait]").replaceChildren(...fresh.childNodes);
  } catch {
    // Offline for a moment: the old words stay.
  }
}, WAIT_REFRESH);
