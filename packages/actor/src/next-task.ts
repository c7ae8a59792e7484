/** Gives messages a turn: promises alone never let the event loop go on. */

const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

/** Resolves in a task of its own, soon, after the messages that have arrived. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    // A message to oneself is not slowed down, as timers are; Node has a function for it, and a port would keep it from ending.
    if (typeof globalThis.setImmediate === "function") globalThis.setImmediate(resolve);
    else {
      waiting.push(resolve);
      openChannel().port2.postMessage(null);
    }
  });
}

function openChannel(): MessageChannel {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  return channel;
}
