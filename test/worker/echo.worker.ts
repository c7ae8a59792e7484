/** A thread that doubles the array it is sent, says where it lies, and sends it back. */
import * as mx from "mlx-ts";
import { joinMemory, openArrays, shareArrays } from "mlx-ts/worker";
import { workerPort } from "../setup/workers.ts";

const port = workerPort();

port.onMessage(async (message) => {
  const { ticket, x } = Object(message);
  joinMemory(ticket);
  const received: mx.MLXArray = Object(openArrays({ x })).x;
  const { byteOffset } = await received.view();
  const { message: reply } = await shareArrays({
    doubled: mx.multiply(received, 2),
    address: byteOffset,
    same: received,
  });
  port.post(reply);
});
