/** The close codes that WebSocket itself defines, with what a Fanfare client takes them for. */
export const standardCloseCodes: readonly { code: number; meaning: string }[] = [
  { code: 1000, meaning: "Normal closure. A Fanfare server does not send it; a proxy may" },
  { code: 1001, meaning: "Going away: whatever stands between is being replaced" },
  { code: 1002, meaning: "WebSocket protocol error" },
  { code: 1003, meaning: "Kind of data not accepted" },
  { code: 1004, meaning: "Reserved" },
  { code: 1005, meaning: "Closed without a code" },
  {
    code: 1006,
    meaning: "No close at all: the network failed, or the upgrade was refused and the platform hides the status",
  },
  { code: 1007, meaning: "Text that is not UTF-8" },
  { code: 1008, meaning: "A policy of something between client and server" },
  { code: 1009, meaning: "Message too large, refused by the WebSocket layer before Fanfare saw it" },
  { code: 1010, meaning: "An extension that the client demands is not served" },
  { code: 1011, meaning: "Fault in whatever closed" },
  { code: 1012, meaning: "Restart" },
  { code: 1013, meaning: "Try again later" },
  { code: 1014, meaning: "Bad gateway" },
  { code: 1015, meaning: "TLS failed" },
];

/** HTTP statuses with which an upgrade may be refused, mostly by something in front of the server. */
export const httpRefusals: readonly { code: number; meaning: string }[] = [
  { code: 301, meaning: "Any redirect: not followed" },
  { code: 400, meaning: "The request is no valid upgrade" },
  { code: 401, meaning: "Something in front wants credentials of its own; Fanfare's travel in `hello`" },
  { code: 403, meaning: "Something in front refuses" },
  { code: 404, meaning: "No WebSocket endpoint at this path" },
  { code: 405, meaning: "Not a GET" },
  { code: 408, meaning: "Timeout" },
  { code: 410, meaning: "The endpoint is gone" },
  { code: 426, meaning: "Another version of WebSocket is wanted" },
  { code: 429, meaning: "Too many requests" },
  { code: 500, meaning: "Fault" },
  { code: 501, meaning: "Upgrades are not served" },
  { code: 502, meaning: "Bad gateway" },
  { code: 503, meaning: "Unavailable" },
  { code: 504, meaning: "Gateway timeout" },
  { code: 505, meaning: "Another version of HTTP is wanted" },
];
