import { connect } from "@fanfare/sdk-browser";
import { openPeer, type Peer, type PeerTask } from "../peer.ts";

// One peer in a page: the test opens it and runs it.
let peer: Peer | undefined;
Object.assign(globalThis, {
  openExchangePeer: async (task: PeerTask) => {
    peer = await openPeer(connect, task);
  },
  runExchangePeer: () => peer?.run(),
});
