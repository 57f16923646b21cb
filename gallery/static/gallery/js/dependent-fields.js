// Fields that apply only to some values of a choice are hidden and disabled with the others, and so not sent: the
// server then takes its default. Without scripts all fields are shown, and the server validates the combination.

const chosen = (form, name) => new FormData(form).get(name);

/** Show and enable each `data-only` part of `form` for its `data-values` only, now and after each change. */
export function bindDependentFields(form) {
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
