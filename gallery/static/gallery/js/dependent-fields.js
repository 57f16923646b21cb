// What goes only with some values of a choice is hidden with the others, and not sent: the server then takes its
// default. Without this everything is there, and the server says what does not go together.

const chosen = (form, name) => new FormData(form).get(name);

/** Keep every `data-only` part of `form` to the values that it is for, now and whenever a choice changes. */
export function keepApplying(form) {
  const parts = [...form.querySelectorAll("[data-only]")];
  if (!parts.length) return;
  const update = () => {
    const values = Object.fromEntries(parts.map(({ dataset }) => [dataset.only, chosen(form, dataset.only)]));
    for (const part of parts) {
      const { only, values: allowed, exampleFor, placeholder } = part.dataset;
      const applies = allowed.split(" ").includes(values[only]);
      part.hidden = !applies;
      for (const field of part.querySelectorAll("input, select, textarea, button")) field.disabled = !applies;
      if (applies && exampleFor) form.querySelector(`#${exampleFor}`).placeholder = placeholder;
    }
  };
  form.addEventListener("change", update);
  // A browser that comes back fills in what was chosen before.
  addEventListener("pageshow", update);
  update();
}
