// A loop moves by itself unless the person asked for stillness; its controls are there for everybody.

export function play(root) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const loop of root.querySelectorAll("[data-loop]")) loop.play().catch(() => {});
}
