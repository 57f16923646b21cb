// The moderators' keys. Handled cards fade in place and keep their undo: nothing jumps.

import { composing } from "./ime.js";

const list = document.querySelector("[data-review]");
const cards = [...document.querySelectorAll("[data-card]")];
const current = () => cards.findIndex((card) => card.contains(document.activeElement));

function move(step) {
  const here = current();
  const next = here < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, here + step));
  cards[next]?.focus();
  cards[next]?.scrollIntoView({ block: "nearest" });
}

function nextOpen(card) {
  const after = cards.slice(cards.indexOf(card) + 1).find((one) => !one.classList.contains("done"));
  after?.focus({ preventScroll: true });
  after?.scrollIntoView({ block: "nearest" });
}

async function send(url, body) {
  const response = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function decide(form, button) {
  const card = form.closest("[data-card]");
  const body = new FormData(form, button);
  const error = card.querySelector("[data-decide-error]");
  try {
    const answer = await send(form.getAttribute("action"), body);
    const panel = card.querySelector("[data-decide]");
    const line = document.createElement("p");
    line.className = "done-line";
    line.setAttribute("role", "status");
    const undo = document.createElement("button");
    undo.type = "button";
    undo.className = "link";
    undo.textContent = list.dataset.undo;
    undo.addEventListener("click", async () => {
      try {
        const token = new FormData();
        token.set("csrfmiddlewaretoken", body.get("csrfmiddlewaretoken"));
        await send(answer.undo, token);
        card.classList.remove("done");
        line.replaceWith(panel);
        card.focus();
      } catch (problem) {
        line.textContent = problem.message || list.dataset.failed;
      }
    });
    line.append(answer.label, undo);
    error.hidden = true;
    panel.replaceWith(line);
    card.classList.add("done");
    nextOpen(card);
  } catch (problem) {
    error.textContent = problem.message || list.dataset.failed;
    error.hidden = false;
  }
}

list?.addEventListener("submit", (event) => {
  event.preventDefault();
  decide(event.target, event.submitter);
});

document.addEventListener("keydown", (event) => {
  if (!list || composing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) {
    if (event.key === "Escape") event.target.closest("[data-card]")?.focus();
    return;
  }
  const key = event.key.toLowerCase();
  if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "a" || key === "r") {
    const card = cards[current()] ?? cards.find((one) => !one.classList.contains("done"));
    if (!card || card.classList.contains("done")) return;
    if (key === "a") card.querySelector("[data-decision=approve] button")?.click();
    else {
      const fold = card.querySelector("[data-turn-down]");
      if (!fold) return;
      fold.open = true;
      fold.querySelector("select").focus();
    }
  } else return;
  event.preventDefault();
});
