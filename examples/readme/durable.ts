import { connect, json } from "@fanfare/sdk-node";

const Chat = json<{ text: string }>("Chat");
const { TOKEN = "" } = process.env;
const client = await connect({ url: "https://play.example.com", getToken: () => TOKEN });

// From where this player has read to, on whatever device; over reconnects it goes on from where it is.
const guild = await client.join("guild:42", { from: "cursor" });
console.log(`${guild.unread ?? 0} unread`);
guild.on("gap", ({ missed }) => console.log(`${missed || "Some"} messages are no longer kept`));
guild.on("caught-up", () => console.log("That was everything from before"));

// Older messages, without moving anything.
const page = await guild.history({ limit: 20 });
console.log(page.messages.map((message) => message.payload.json));

for await (const { value, meta } of guild.messages(Chat)) {
  console.log(`${meta.from}: ${value.text}`);
  void guild.commit(meta.position).catch(console.error); // at most one request a second
}
