// The pattern page: each frame becomes as tall as the page in it, up to a limit.

const TALLEST = 1600; // px

for (const frame of document.querySelectorAll("[data-pattern]")) {
  frame.addEventListener("load", () => {
    const height = frame.contentDocument.documentElement.scrollHeight;
    frame.style.height = `${Math.min(TALLEST, height)}px`;
  });
}
