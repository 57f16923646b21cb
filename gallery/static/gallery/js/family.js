// A family tree that is larger than its window opens where the work is.

for (const family of document.querySelectorAll("[data-family]")) {
  const here = family.querySelector("[data-here]");
  if (!here) continue;
  const [frame, work] = [family.getBoundingClientRect(), here.getBoundingClientRect()];
  family.scrollLeft += work.left + work.width / 2 - (frame.left + frame.width / 2);
  family.scrollTop += work.top + work.height / 2 - (frame.top + frame.height / 2);
}
