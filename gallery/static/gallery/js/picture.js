// One input picture: a file that is chosen, dropped or pasted, or a work; always with what it looks like.

export function pictureInput(field) {
  const input = field.querySelector("input[type=file]");
  const drop = field.querySelector("[data-drop]");
  const preview = field.querySelector("[data-preview]");
  const fileName = field.querySelector("[data-file-name]");
  const works = () => [...field.querySelectorAll("input[type=radio]")];
  let shown = "";

  const picture = {
    field,
    onchange: () => {},
    get empty() {
      return preview.hidden;
    },
    take(file) {
      const carrier = new DataTransfer();
      carrier.items.add(file);
      input.files = carrier.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    clear() {
      input.value = "";
      for (const radio of works()) radio.checked = radio.value === "";
      field.querySelector("[data-kept]")?.remove();
      fileName.textContent = "";
      show("");
    },
  };

  function show(source) {
    if (shown) URL.revokeObjectURL(shown);
    shown = source.startsWith("blob:") ? source : "";
    preview.removeAttribute("width");
    preview.removeAttribute("height");
    preview.hidden = !source;
    if (source) preview.src = source;
    else preview.removeAttribute("src");
  }

  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    for (const radio of works()) radio.checked = radio.value === "";
    fileName.textContent = file.name;
    show(URL.createObjectURL(file));
    picture.onchange();
  });

  for (const radio of works()) {
    radio.addEventListener("change", () => {
      input.value = "";
      fileName.textContent = "";
      field.querySelector("[data-kept]")?.remove();
      show(radio.dataset.source);
      if (radio.value) picture.onchange();
    });
  }

  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const files = [...event.dataTransfer.files];
    const taken = input.accept.split(",");
    // Some systems do not know the type of a HEIC picture; the server looks into the file.
    const file = files.find((one) => taken.includes(one.type) || /\.(heic|heif|avif)$/i.test(one.name));
    if (file) picture.take(file);
    else if (files.length) fileName.textContent = drop.dataset.refusal;
  });

  return picture;
}
