import { connect, json } from "@fanfare/sdk-browser";

const Chat = json<{ text: string }>("Chat");

// Your backend knows who is logged in, and gives out the token.
const getToken = () => fetch("/token").then((response) => response.text());
const client = await connect({ url: "wss://play.example.com", getToken });

const lobby = await client.join("chat:lobby", { presence: { name: "Ann" } });
lobby.on(Chat, ({ text }, { from }) => console.log(`${from}: ${text}`));
lobby.on("gap", () => console.log("Messages may be missing here"));

const sent = await lobby.publish(Chat, { text: "Hello" }, { report: true });
console.log(`Reached ${sent.report?.reached} sessions`);
