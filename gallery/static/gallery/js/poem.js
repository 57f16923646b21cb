// A poem's making: one character open at a time, arrow keys from one to the next, Escape closes; the poem copied.
// Everything is caught at the document: on the page of a job the poem arrives later.

const open = () => document.querySelector(".place[open]");

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy-poem]");
  if (copy) {
    const words = copy.textContent;
    await navigator.clipboard.writeText(copy.dataset.copyPoem.trim());
    copy.textContent = copy.dataset.done;
    setTimeout(() => (copy.textContent = words), 1500);
    return;
  }
  const shown = open();
  if (shown && !shown.contains(event.target)) shown.open = false;
});

document.addEventListener("keydown", (event) => {
  const shown = open();
  if (event.key === "Escape" && shown) {
    shown.open = false;
    shown.querySelector("summary").focus();
    return;
  }
  const here = event.target.closest?.(".place > summary");
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (!here || !(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
  const all = [...here.closest("[data-annotations]").querySelectorAll(".place > summary")];
  const next = all[all.indexOf(here) + steps[event.key]];
  if (!next) return;
  event.preventDefault();
  if (shown) shown.open = false;
  next.focus();
});
