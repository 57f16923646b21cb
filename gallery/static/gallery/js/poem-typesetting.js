// Setting a poem: vertical Chinese columns from right to left, or lines of Latin letters, signed and sealed.
// Everything is measured in `unit`, the size of one character in px.

import { seal } from "./seal.js";

export const KAI =
  '"Kaiti SC", STKaiti, KaiTi, "AR PL UKai CN", "Songti SC", STSong, "Noto Serif CJK SC", "Source Han Serif SC", "Noto Serif SC", SimSun, serif';
export const SERIF =
  '"Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", "Source Serif 4", Georgia, "Songti SC", "Noto Serif CJK SC", serif';
export const PAPER = "#f4eee0";
export const INK = "#221d18";

const PITCH = 1.12; // from one character to the next
const COLUMN = 1.55; // from one column to the next
const LONGEST_TITLE = 16;
const LONGEST_NAME = 20;
const MONTHS = ["孟春", "仲春", "暮春", "孟夏", "仲夏", "季夏", "孟秋", "仲秋", "暮秋", "孟冬", "仲冬", "季冬"];

/** A day as painters sign it, by the Chinese calendar: 丙午孟冬. Empty where the browser has no such calendar. */
export function chineseDate(date) {
  try {
    const parts = new Intl.DateTimeFormat("en-u-ca-chinese", { year: "numeric", month: "numeric" }).formatToParts(date);
    const year = Number(parts.find((part) => part.type === "relatedYear")?.value);
    // A leap month is its number with a mark ("6bis"): parseInt reads what comes first.
    const month = parseInt(parts.find((part) => part.type === "month")?.value, 10);
    if (!year || !MONTHS[month - 1]) return "";
    const turn = (((year - 4) % 60) + 60) % 60;
    return "甲乙丙丁戊己庚辛壬癸"[turn % 10] + "子丑寅卯辰巳午未申酉戌亥"[turn % 12] + MONTHS[month - 1];
  } catch {
    return "";
  }
}

/** The text, or its beginning: a name or a title must not make the poem small. */
export function short(text, most) {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/**
 * The columns of a poem, right to left: [{text, size, indent, seal}]. `perColumn`: lines in one column.
 * `sign` has `title`, `date`, `author`, each may be empty. Sizes are shares of the unit, indents are units.
 */
export function columns(lines, perColumn, sign, sealed) {
  const found = [];
  if (sign.title) found.push({ text: short(sign.title, LONGEST_TITLE), size: 0.72, indent: 0 });
  for (let n = 0; n < lines.length; n += perColumn) {
    found.push({ text: lines.slice(n, n + perColumn).join("\u3000"), size: 1, indent: 0 });
  }
  const signature = [sign.date, sign.author && `${short(sign.author, LONGEST_NAME)}题`].filter(Boolean).join("\u3000");
  if (signature || sealed) found.push({ text: signature, size: 0.6, indent: 1.2, seal: sealed });
  return found;
}

/** The pieces of a column: one character each, but a run of Latin letters lies on its side as one. */
function pieces(text) {
  return text.match(/[\p{Script=Latin}\p{N}][\p{Script=Latin}\p{N}\p{M} ._'’-]*|./gu) ?? [];
}

const isRun = (piece) => /[\p{Script=Latin}\p{N}]/u.test(piece[0]);

function pieceLength(pen, piece, size) {
  if (piece === "\u3000") return 0.55 * size;
  if (!isRun(piece)) return PITCH * size;
  pen.font = `${0.95 * size}px ${KAI}`;
  return pen.measureText(piece.trim()).width + 0.35 * size;
}

const SEAL = 1.5; // its side, in units
const SEAL_GAP = 0.35;

function columnLength(pen, column, unit) {
  const text = pieces(column.text).reduce((sum, piece) => sum + pieceLength(pen, piece, column.size * unit), 0);
  return column.indent * unit + text + (column.seal ? (SEAL + SEAL_GAP) * unit : 0);
}

/** Width and height in px of columns at `unit`. */
export function columnsSize(pen, all, unit) {
  const wide = all.reduce((sum, column) => sum + COLUMN * Math.max(column.size, column.seal ? 1 : 0.8) * unit, 0);
  return { width: wide, height: Math.max(...all.map((column) => columnLength(pen, column, unit))) };
}

/**
 * Draw columns with the top right corner of their block at (right, top). `look`: {ink, halo, haloSize, name,
 * style, backed}: the halo is a soft light (or dark) behind the characters, "" for none; a seal that is not
 * set on paper is `backed` with it.
 */
export function drawColumns(pen, all, unit, right, top, look) {
  pen.save();
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  let x = right;
  for (const column of all) {
    const size = column.size * unit;
    const width = COLUMN * Math.max(column.size, column.seal ? 1 : 0.8) * unit;
    const middle = x - width / 2;
    let y = top + column.indent * unit;
    for (const piece of pieces(column.text)) {
      const length = pieceLength(pen, piece, size);
      pen.font = `${isRun(piece) ? 0.95 * size : size}px ${KAI}`;
      pen.fillStyle = look.ink;
      pen.save();
      pen.translate(middle, y + length / 2);
      if (isRun(piece)) pen.rotate(Math.PI / 2);
      if (look.halo) {
        pen.shadowColor = look.halo;
        pen.shadowBlur = look.haloSize * unit;
        for (let n = 0; n < 3; n += 1) pen.fillText(piece.trim(), 0, 0);
        pen.shadowColor = "transparent";
      }
      pen.fillText(piece.trim(), 0, 0);
      pen.restore();
      y += length;
    }
    if (column.seal) {
      const stamp = seal(look.name, SEAL * unit, look.style, look.backed);
      if (stamp) pen.drawImage(stamp, middle - (SEAL * unit) / 2, y + SEAL_GAP * unit);
    }
    x -= width;
  }
  pen.restore();
}

const ROW = 1.45; // from one Latin line to the next
const STANZA = 0.75; // more, to the next stanza
const TITLE = 1.1; // size of a title, in units
const TITLE_ROWS = 2;
const LEAST_PLATE = 14; // units: short lines do not press the signature together

/** The title over Latin lines in rows of `width`: none where it only repeats the first line. */
function titleRows(pen, title, lines, unit, width) {
  const letters = (text) => (text ?? "").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  if (letters(title) === letters(lines[0])) return [];
  pen.font = `600 ${TITLE * unit}px ${SERIF}`;
  const rows = [];
  // Chinese may be broken anywhere, Latin letters between words.
  for (const piece of title.match(/\p{Script=Han}|[^\p{Script=Han}\s]+\s*/gu) ?? []) {
    const last = rows.at(-1);
    if (last !== undefined && pen.measureText((last + piece).trimEnd()).width <= width) rows.push(rows.pop() + piece);
    else rows.push(piece);
  }
  return rows.length > TITLE_ROWS ? [...rows.slice(0, TITLE_ROWS - 1), `${rows[TITLE_ROWS - 1].trimEnd()}…`] : rows;
}

/**
 * Latin lines on a plate at most `width` px wide: {unit, width, height, title}. `starts`: the numbers of the lines
 * that begin another stanza. `unit` is what one would like; long lines make it smaller.
 */
export function plateOf(pen, { lines, starts }, width, unit, sign, sealed) {
  pen.font = `${unit}px ${SERIF}`;
  const longest = Math.max(...lines.map((line) => pen.measureText(line).width), 1);
  const fitting = Math.min(unit, (unit * width) / longest);
  const wide = Math.max((longest * fitting) / unit, Math.min(width, LEAST_PLATE * fitting));
  const title = titleRows(pen, sign.title, lines, fitting, wide);
  const head = title.length ? 0.6 + 1.4 * title.length : 0;
  const foot = sign.author || sign.date || sealed ? 2.6 : 0;
  const rows = head + lines.length * ROW + starts.length * STANZA + foot;
  return { unit: fitting, width: wide, height: rows * fitting, title };
}

/** Draw a plate with its top left corner at (left, top); the signature and the seal end at the right. */
export function drawPlate(pen, { lines, starts }, { unit, width, title }, left, top, sign, look) {
  pen.save();
  pen.textBaseline = "middle";
  pen.fillStyle = look.ink;
  let y = top;
  pen.font = `600 ${TITLE * unit}px ${SERIF}`;
  for (const row of title) {
    pen.fillText(row.trimEnd(), left, y + 0.7 * unit, width);
    y += 1.4 * unit;
  }
  if (title.length) y += 0.6 * unit;
  pen.font = `${unit}px ${SERIF}`;
  lines.forEach((line, n) => {
    if (starts.includes(n)) y += STANZA * unit;
    pen.fillText(line, left, y + 0.72 * unit, width);
    y += ROW * unit;
  });
  const signature = [sign.author, sign.date].filter(Boolean).join(" · ");
  const stamp = look.style === "none" ? null : seal(look.name, 1.9 * unit, look.style);
  const end = left + width - (stamp ? 2.4 * unit : 0);
  pen.font = `italic ${0.82 * unit}px ${SERIF}`;
  pen.textAlign = "right";
  pen.fillText(signature, end, y + 1.55 * unit, width);
  if (stamp) pen.drawImage(stamp, left + width - 1.9 * unit, y + 0.6 * unit);
  pen.restore();
}
