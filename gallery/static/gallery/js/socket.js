// One socket that comes back: doubling pauses with jitter, and after three failures polling beside it.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;
const FAILURES_BEFORE_POLLING = 3;
const POLL_EVERY = 2000;
const REFUSED = new Set([4401, 4403]);

export function connect({ subscribe, onMessage, poll = null }) {
  let socket = null;
  let failures = 0;
  let retry = null;
  let polling = null;
  let closed = false;

  const connection = {
    open: false,
    close() {
      closed = true;
      clearTimeout(retry);
      stopPolling();
      socket?.close();
    },
  };

  function dial() {
    if (closed) return;
    clearTimeout(retry);
    const address = new URL("/ws/", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      connection.open = true;
      socket.send(JSON.stringify(subscribe));
    });
    socket.addEventListener("message", (event) => {
      failures = 0;
      stopPolling();
      for (const message of [JSON.parse(event.data)].flat()) onMessage(message);
    });
    socket.addEventListener("close", (event) => {
      connection.open = false;
      if (closed) return;
      failures += 1;
      if (failures >= FAILURES_BEFORE_POLLING || REFUSED.has(event.code)) startPolling();
      // Somebody who is not let in need not knock again soon.
      const pause = REFUSED.has(event.code)
        ? LONGEST_PAUSE
        : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
      retry = setTimeout(dial, pause * (0.5 + Math.random() / 2));
    });
  }

  function startPolling() {
    if (!poll || polling) return;
    const once = () => poll().catch(() => {});
    polling = setInterval(() => !document.hidden && once(), POLL_EVERY);
    once();
  }

  function stopPolling() {
    clearInterval(polling);
    polling = null;
  }

  function hurry() {
    if (!closed && !connection.open && socket?.readyState !== WebSocket.CONNECTING) dial();
  }

  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", () => !document.hidden && hurry());
  dial();
  return connection;
}
