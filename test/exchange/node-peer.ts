import { once } from "node:events";
import { connect } from "@fanfare/sdk-node";
import { openPeer, type PeerTask } from "./peer.ts";

// One peer as a process of its own: its task is the first argument; it prints "ready", runs when its stdin says so, and prints a report.
const peer = await openPeer(connect, JSON.parse(process.argv[2] ?? "") as PeerTask);
console.log("ready");
await once(process.stdin, "data");
console.log(JSON.stringify(await peer.run()));
process.exit(0);
