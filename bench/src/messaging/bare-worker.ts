import { connect } from "amqplib";
import { Effects, now, serve } from "./worker.ts";

/**
 * `bare-worker.ts publish | consume <queue> <prefetch>`, with `AMQP_URL`: what one writes with amqplib alone. Persistent messages
 * on the same kind of queue, each publish confirmed, each delivery acknowledged; nothing in a database on either side.
 */
const [role, queue = "", prefetch = ""] = process.argv.slice(2);

const model = await connect(process.env.AMQP_URL ?? "");
const channel = await model.createConfirmChannel();
const args = { "x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length-bytes": 1024 ** 3 };
await channel.assertQueue(queue, { durable: true, arguments: args });
const stop = () => model.close();

if (role === "publish") {
  const options = { persistent: true, mandatory: true, contentType: "application/json" };
  const publish = (n: number) =>
    new Promise<number>((resolve, reject) => {
      const sentAt = now();
      const settle = (error: unknown) => (error ? reject(error) : resolve(sentAt));
      channel.sendToQueue(queue, Buffer.from(JSON.stringify({ n })), { ...options, messageId: `${n}` }, settle);
    });
  serve({ publish, stop });
} else {
  const effects = new Effects();
  await channel.prefetch(Number(prefetch));
  await channel.consume(queue, (message) => {
    if (message === null) return;
    effects.note(JSON.parse(message.content.toString()).n);
    channel.ack(message);
  });
  serve({ stop }, effects);
}
