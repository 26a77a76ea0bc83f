import { Inspector } from "./inspector.ts";
import { PlayerCard } from "./player-card.ts";
import { trackWebSockets } from "./transport.ts";

trackWebSockets();

// ?left=carol&right=dave names other players.
const query = new URLSearchParams(location.search);
const [left, right] = [query.get("left") ?? "alice", query.get("right") ?? "bob"];
const inspector = new Inspector();
const onFrame = inspector.add.bind(inspector);
const cards = [
  new PlayerCard({ side: "Player 1", name: left, otherName: right, onFrame }),
  new PlayerCard({ side: "Player 2", name: right, otherName: left, onFrame }),
];
document.querySelector("#players")?.append(...cards.map((card) => card.root));
document.querySelector("#inspector")?.append(inspector.root);
for (const card of cards) void card.connect();
