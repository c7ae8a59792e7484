/** Events of trainings, for the tests of training. */
import type { TrainEvent } from "mlx-ts/train";

/** All events of a training. */
export async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const list: TrainEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}
