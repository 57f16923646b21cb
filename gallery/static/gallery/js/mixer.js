// The mixer: works become parents with one press, and beside finished children a change is mixed in place.
// Without this file every button here is a button of the form, and the server answers with a page.

const LIVE = "artsite-live-mix";
const START_MUTATION = "40";

const form = document.querySelector("[data-studio]");
const job = document.getElementById("job");
const mixer = () => form.querySelector("[data-mixer]");
const places = () => [...mixer().querySelectorAll("[data-parent]")];
const vacant = (place) => place.classList.contains("vacant");
const part = (place, name) => place.querySelector(`[data-${name}]`);
const file = (place) => place.querySelector("input[type=file]");
const weight = (place) => place.querySelector("input[type=range]");

function say(text) {
  const line = form.querySelector("[data-mixer-says]");
  line.textContent = text;
  line.hidden = !text;
}

// --- Parents ----------------------------------------------------------------------------------------

const NOBODY = { work: "", upload: "", files: null, source: "", title: "", weight: null };

/** A list of its own: a field that is emptied empties the list that it shares with another. */
function copied(files) {
  const carrier = new DataTransfer();
  for (const one of files) carrier.items.add(one);
  return carrier.files;
}

function read(place) {
  const picture = part(place, "preview");
  return {
    work: part(place, "work").value,
    upload: part(place, "kept").value,
    files: copied(file(place).files),
    source: vacant(place) ? "" : picture.src,
    title: picture.alt,
    weight: weight(place).value,
  };
}

function write(place, parent) {
  const picture = part(place, "preview");
  part(place, "work").value = parent.work;
  part(place, "kept").value = parent.upload;
  if (parent.files?.length) file(place).files = parent.files;
  else file(place).value = "";
  picture.removeAttribute("width");
  picture.removeAttribute("height");
  picture.alt = parent.title;
  picture.hidden = !parent.source;
  if (parent.source) picture.src = parent.source;
  else picture.removeAttribute("src");
  place.classList.toggle("vacant", !parent.source);
  for (const error of place.querySelectorAll(".error-text")) error.remove();
  setRange(weight(place), parent.weight ?? weight(place).dataset.default);
}

function setRange(range, value) {
  range.value = value;
  range.dispatchEvent(new Event("input", { bubbles: true }));
}

/** A new parent in the first free place; false when there is none. */
function add(parent) {
  const place = places().find(vacant);
  if (!place) {
    say(mixer().dataset.full);
    return false;
  }
  write(place, { ...NOBODY, ...parent });
  changed();
  return true;
}

function remove(place) {
  const all = places();
  for (let n = all.indexOf(place); n < all.length; n += 1) {
    write(all[n], n + 1 < all.length ? read(all[n + 1]) : NOBODY);
  }
  moveDepths(Number(place.dataset.parent));
  changed();
  (vacant(place) ? file(place) : part(place, "remove")).focus();
}

/** What came from a parent that has moved up still comes from it; from one that is gone: from the mix. */
function moveDepths(gone) {
  for (const segments of mixer().querySelectorAll(".segments")) {
    const chosen = segments.querySelector("input:checked");
    const from = Number(chosen?.value);
    if (!from || from < gone) continue;
    const next = from === gone ? "mix" : String(from - 1);
    segments.querySelector(`input[value="${next}"]`).checked = true;
  }
}

function changed() {
  say("");
  for (const place of places()) {
    for (const mini of mixer().querySelectorAll(`[data-mini="${place.dataset.parent}"]`)) {
      mini.hidden = vacant(place);
      if (!vacant(place)) mini.src = part(place, "preview").src;
    }
  }
  mixLive();
}

function take(one) {
  const carrier = new DataTransfer();
  carrier.items.add(one);
  add({ files: carrier.files, source: URL.createObjectURL(one), title: one.name });
}

form.addEventListener("click", (event) => {
  const adds = event.target.closest("[data-add]");
  const removes = event.target.closest("[data-remove]");
  if (!adds && !removes) return;
  event.preventDefault();
  if (removes) remove(removes.closest("[data-parent]"));
  else add({ work: adds.value, source: adds.querySelector("img").src, title: adds.title });
});

form.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  const chosen = event.target.files[0];
  if (!chosen) return;
  // Without gaps: whatever place was pressed, the first free one is taken.
  event.target.value = "";
  take(chosen);
});

for (const name of ["dragover", "dragleave", "drop"]) {
  form.addEventListener(name, (event) => {
    const plate = event.target.closest?.(".parent-picture");
    if (!plate) return;
    plate.classList.toggle("over", name === "dragover");
    if (name === "dragleave") return;
    event.preventDefault();
    const dropped = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
    if (name === "drop" && dropped) take(dropped);
  });
}

document.addEventListener("paste", (event) => {
  const pasted = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!pasted) return;
  event.preventDefault();
  take(pasted);
});

// --- The works to choose from: a search does not leave the page ----------------------------------------

async function find() {
  const wanted = form.querySelector("[data-find]").value;
  const address = `${form.getAttribute("action")}?find=${encodeURIComponent(wanted)}`;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const tiles = page.querySelector("[data-picker-tiles]");
    if (tiles) form.querySelector("[data-picker-tiles]").replaceChildren(...document.adoptNode(tiles).childNodes);
  } catch {
    // Offline for a moment: the old works stay.
  }
}

form.querySelector("[data-find-go]")?.addEventListener("click", find);
form.querySelector("[data-find]")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  find();
});

// --- A mutation of nothing is no mutation -----------------------------------------------------------------

form.addEventListener("change", (event) => {
  if (event.target.name !== "mode") return;
  const strength = form.elements.mutation;
  if (event.target.value === "mutate" && strength.value === "0") {
    setRange(strength, START_MUTATION);
    strength.dataset.ours = "yes";
  } else if (event.target.value === "mix" && strength.dataset.ours) {
    setRange(strength, "0");
    delete strength.dataset.ours;
  }
});

// --- A film is not made in the largest size: there is no such choice while it is chosen -------------------

form.addEventListener("change", (event) => {
  if (event.target.name !== "mode") return;
  const [small, large] = ["512", "1024"].map((side) => form.querySelector(`[name=size][value="${side}"]`));
  if (!small || !large) return;
  if (event.target.value === "bridge" && large.checked) {
    small.checked = true;
    large.dataset.ours = "yes";
  } else if (event.target.value !== "bridge" && large.dataset.ours) {
    large.checked ||= small.checked;
    delete large.dataset.ours;
  }
});

// --- Beside the children: mixed again without leaving -----------------------------------------------------

let busy = false;
let again = false;
let sent = "";
const live = form.querySelector("[data-live]");

function mixLive() {
  if (job && live.checked) mix();
}

function content() {
  return JSON.stringify(
    [...new FormData(form)]
      .filter(([name]) => name !== "key")
      .map(([name, value]) => [name, value instanceof File ? `${value.name} ${value.size}` : value]),
  );
}

function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function mix() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  const button = form.querySelector("[data-submit]");
  button.setAttribute("aria-disabled", "true");
  try {
    do {
      again = false;
      await send();
    } while (again);
  } catch {
    say(form.dataset.lost);
  } finally {
    busy = false;
    button.removeAttribute("aria-disabled");
  }
}

async function send() {
  say("");
  form.elements.key.value = fresh();
  sent = content();
  const body = new FormData(form);
  const cancel = job.querySelector("[data-cancel]")?.form;
  if (cancel) {
    // What is still being made is not what is wanted any more.
    await fetch(cancel.getAttribute("action"), {
      method: "POST",
      body: new FormData(cancel),
      headers: { Accept: "application/json" },
    });
  }
  const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.getElementById("job");
  for (const old of form.querySelectorAll(".error-text")) old.remove();
  if (!next) return refused(page);
  keepUploads(page);
  job.dispatchEvent(new CustomEvent("follow", { detail: { page, address: response.url } }));
}

/** The server says what is wrong beside the fields of a page of its own: its mixer takes the place of this one. */
function refused(page) {
  const theirs = page.querySelector("[data-mixer]");
  if (!theirs) throw new Error("no mixer in the answer");
  const words = [...page.querySelectorAll("[data-form-errors] p")].map((line) => line.textContent).join(" ");
  const focused = document.activeElement?.id;
  mixer().replaceWith(document.adoptNode(theirs));
  if (focused) document.getElementById(focused)?.focus();
  say(words);
}

/** A file that was brought is an upload now: the next mix names it instead of sending it once more. */
function keepUploads(page) {
  for (const place of places()) {
    if (!file(place).files.length) continue;
    const kept = page.querySelector(`[data-parent="${place.dataset.parent}"] [data-kept]`)?.value;
    if (!kept) continue;
    part(place, "kept").value = kept;
    file(place).value = "";
  }
}

if (job) {
  sent = content();
  live.checked = localStorage.getItem(LIVE) === "yes";
  live.addEventListener("change", () => localStorage.setItem(LIVE, live.checked ? "yes" : "no"));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    // The same seed and settings would only give the same children.
    if (content() === sent) form.querySelector("[data-dice]").click();
    mix();
  });
  form.addEventListener("change", (event) => {
    if (event.target !== live && event.target.type !== "file" && mixer().contains(event.target)) mixLive();
  });

  document.getElementById("job-results").addEventListener("click", (event) => {
    const link = event.target.closest("[data-breed]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!places().some(vacant)) return;
    event.preventDefault();
    const picture = link.closest(".card").querySelector(".frame img");
    if (!add({ work: link.dataset.breed, source: picture.src, title: picture.alt })) return;
    const mode = form.querySelector("[name=mode][value=mix]");
    if (form.querySelector("[name=mode][value=mutate]").checked) mode.click();
    say(form.dataset.added);
  });
}
