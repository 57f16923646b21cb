// A work: seen large, played, set vertically or across, its prompt copied.

import { play } from "./loop.js";

const zoom = document.querySelector("[data-zoom]");
const viewer = document.querySelector("[data-viewer]");

if (zoom && viewer) {
  const image = viewer.querySelector("img");
  const fit = viewer.querySelector("[data-viewer-fit]");
  const full = viewer.querySelector("[data-viewer-full]");
  full.hidden = !document.fullscreenEnabled;

  const setActual = (on) => {
    viewer.classList.toggle("actual", on);
    fit.setAttribute("aria-pressed", String(on));
  };
  zoom.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    image.src ||= image.dataset.source;
    setActual(false);
    viewer.showModal();
  });
  fit.addEventListener("click", () => setActual(!viewer.classList.contains("actual")));
  full.addEventListener("click", () =>
    document.fullscreenElement ? document.exitFullscreen() : viewer.requestFullscreen(),
  );
  viewer.querySelector("[data-viewer-close]").addEventListener("click", () => viewer.close());
  viewer.querySelector(".viewer-stage").addEventListener("click", () => {
    if (!viewer.classList.contains("actual")) viewer.close();
  });
  viewer.addEventListener("close", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    zoom.focus();
  });
}

play(document);

const turn = document.querySelector("[data-turn]");
turn?.addEventListener("click", () => {
  const across = document.querySelector("[data-sheet] .poem").classList.toggle("across");
  turn.textContent = across ? turn.dataset.vertical : turn.dataset.across;
  turn.setAttribute("aria-pressed", String(across));
});

const copy = document.querySelector("[data-copy]");
copy?.addEventListener("click", async () => {
  await navigator.clipboard.writeText(document.querySelector("[data-copy-text]").dataset.copyText);
  const words = copy.textContent;
  copy.textContent = copy.dataset.done;
  setTimeout(() => (copy.textContent = words), 1500);
});
