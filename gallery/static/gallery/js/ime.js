// Whether a key belongs to an input method that is composing. Safari ends the composition before it
// reports the Enter that ended it, and marks that key with 229 only.
export const composing = (event) => event.isComposing || event.keyCode === 229;
