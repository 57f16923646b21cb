// Tells new messages from old ones: seq is the row's, tick grows within one seq (per type and index).

export class Freshness {
  #seq;
  #seen = new Map();

  constructor(seq) {
    this.#seq = seq;
  }

  /** Whether a state is not older than what is known; a state of the same seq brings the newest place in line. */
  state(seq) {
    if (seq < this.#seq) return false;
    this.#seq = seq;
    return true;
  }

  /** Whether a progress, preview or text is newer than the last one of its type and index. */
  hint(type, index, seq, tick) {
    const slot = `${type}:${index}`;
    const [oldSeq, oldTick] = this.#seen.get(slot) ?? [-1, -1];
    if (seq < oldSeq || (seq === oldSeq && tick <= oldTick)) return false;
    this.#seen.set(slot, [seq, tick]);
    return true;
  }
}
