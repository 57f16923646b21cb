// Before and after under one slider. Listened to from the document: on a job's page the pictures come later.

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-compare-cut]")) return;
  event.target.closest(".compare-stage").style.setProperty("--cut", `${event.target.value}%`);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-compare-actual]");
  if (!button) return;
  const figure = button.closest("[data-compare]");
  const stage = figure.querySelector(".compare-stage");
  const view = figure.querySelector(".compare-window");
  const actual = figure.classList.toggle("actual");
  button.setAttribute("aria-pressed", String(actual));
  stage.style.width = actual ? `${figure.querySelector(".after img").getAttribute("width")}px` : "";
  view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
  view.scrollTop = (view.scrollHeight - view.clientHeight) / 2;
});
