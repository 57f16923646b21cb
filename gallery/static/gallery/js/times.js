// Times are written in the studio's zone; the reader's own is friendlier.
const STYLES = {
  "": { dateStyle: "long", timeStyle: "short" },
  date: { dateStyle: "long" },
  short: { dateStyle: "short", timeStyle: "short" },
};
export function localTimes(scope) {
  for (const time of scope.querySelectorAll("time[data-when]")) {
    const format = new Intl.DateTimeFormat(document.documentElement.lang, STYLES[time.dataset.when]);
    time.textContent = format.format(new Date(time.dateTime));
  }
}
