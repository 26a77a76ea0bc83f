import { json } from "@fanfare/sdk-node";
import { channelFor, createControlClient, payloadFor } from "@fanfare/sdk-node/control";
import { mintToken } from "@fanfare/sdk-node/token";

const { API_KEY = "", TOKEN_KEY = "" } = process.env;
const control = createControlClient({ url: "https://play.example.com", apiKey: API_KEY });

// Answer the page's request for /token with this, once you know who is asking.
export const { token } = await mintToken({ app: "my-game", player: "ann", key: TOKEN_KEY });

const payload = payloadFor(json("Chat"), { text: "Hello, all" });
const lobby = channelFor({ group: "chat:lobby" });
const { results } = await control.publish({ publications: [{ channels: [lobby], payload, wantReport: true }] });
console.log(`Reached ${results[0]?.results[0]?.report?.reached} sessions`);
