/** Emits a convolution to few outputs: products of each place with all weights, spread over the outputs that see it. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import { compositeModule } from "./composite-module.ts";
import type { GemmEmitter, Push } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { forUpTo, takesIntegers } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { spreadOf } from "./spread-call.ts";
import { planSpread, type SpreadPlan } from "./spread-plan.ts";
import { emitSpread } from "./spread-row.ts";
import { type Stretch, stretchOf, wholeStretch } from "./spread-stretch.ts";

/**
 * Compiles a convolution to a module on the library of matrix products.
 *
 *     weights    [outputs, sizes…, channels] ─► panels of one matrix, [channels, sizes… · outputs]
 *     spread     for each part of the outputs:                                       (threads take parts)
 *                  for each block of the places that they see:
 *                    products = places · panels,   outputs += products, row by row
 *
 * Weights next to each other along the last axis meet outputs next to each other, so that what is added is contiguous.
 * An output adds up what it sees in an order that depends on the lengths alone.
 */
export function emitSpreadConvolution(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = spreadOf(kernel.call);
  if (!shape) throw new RangeError("no convolution to spread");
  const panelWidth = tileColumns(target);
  const plan = planSpread(shape, panelWidth, target.threadCount);
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const spread = module.addFunction(null, takesIntegers(3), (f) => emitSpread(f, shape, plan.sumStride));

  addPhase("weights", (e) => packWeights(e, plan));
  addPhase("spread", (e, item) => {
    const part = locatePart(e, plan, item);
    clearOutputs(e, plan, part);
    eachBlock(e, plan, part, (block) => {
      packPlaces(e, plan, part, block);
      multiplyBlock(e, plan, part, block);
      addProducts(e, plan, part, block, spread);
    });
    storeOutputs(e, plan, part);
  });

  const [outer, inner, last] = shape.axes;
  const places = shape.batch * outer.length * inner.length * last.length;
  const products = places * shape.channels * plan.columnPanels * panelWidth;
  return {
    bytes: module.build(),
    library: gemmLibrary(panelWidth),
    phases: [
      { name: "weights", itemCount: 1, itemsPerChunk: 1, work: plan.sums * shape.channels },
      { name: "spread", itemCount: plan.parts.reduce((a, b) => a * b), itemsPerChunk: 1, work: products / 3 },
    ],
    scratchBytes: plan.panelBytes + plan.bytesPerThread * target.threadCount,
    layout,
  };
}

/** Packs the weights as the columns of one matrix: those that meet neighbouring outputs next to each other. */
function packWeights(e: GemmEmitter, { shape, sums, panelBytes, bytesPerThread, tableOffset }: SpreadPlan): void {
  const { channels, outputs, ascends } = shape;
  const taps = sums / outputs;
  const table = e.let(e.sum([e.threadScratch(panelBytes, bytesPerThread), 1], tableOffset));
  const depth = e.constant(channels);
  e.loop(taps, 1, (tap) => {
    const place = ascends
      ? e.sum([e.get(tap), channels * 4])
      : e.sum([e.get(tap), -channels * 4], (taps - 1) * channels * 4);
    const from = e.sum([e.slot(1), 1], [place, 1]);
    const entries = e.sum([e.get(table), 1], [e.get(tap), outputs * 4]);
    e.call("ladder", entries, e.constant(outputs), from, e.constant(taps * channels * 4));
  });
  e.call("packRightLines", e.get(table), e.constant(sums), depth, e.scratch(0), depth, e.constant(0));
}

/** Outputs that one item adds up, what they see, and the memory for it: locals. */
interface Part {
  /** Where the thread keeps sums of outputs, packed places, products, and addresses of what is packed. */
  readonly added: number;
  readonly placePanels: number;
  readonly products: number;
  readonly table: number;
  /** The first picture. */
  readonly picture: number;
  /** Along the first axis, and along the last. */
  readonly down: Stretch;
  readonly across: Stretch;
  /** Rows of outputs, and lines of places, of all pictures. */
  readonly outRows: number;
  readonly lines: number;
  /** Number of the first line among those of all pictures. */
  readonly firstLine: number;
  /** Where the first place of a line adds its products, in a row of outputs. */
  readonly start: number;
}

function locatePart(e: GemmEmitter, plan: SpreadPlan, item: number): Part {
  const { f } = e;
  const { batch, outputs, axes } = plan.shape;
  const [outer, inner, last] = axes;
  const [group = 0, part = 0, segment = 0] = e.split(item, plan.parts);
  const added = e.let(e.threadScratch(plan.panelBytes, plan.bytesPerThread));
  const placePanels = e.let(e.sum([e.get(added), 1], plan.placesOffset));
  const products = e.let(e.sum([e.get(placePanels), 1], plan.productsOffset - plan.placesOffset));
  const table = e.let(e.sum([e.get(added), 1], plan.tableOffset));
  const picture = e.let(e.sum([e.get(group), plan.pictures]));
  const pictures = e.let(e.least(e.constant(plan.pictures), () => f.i32(batch).get(picture).op("i32.sub")));
  // Whole pictures follow each other, and so do their lines, whether outputs see them or not.
  const down = plan.isWhole ? wholeStretch(e, outer) : stretchOf(e, outer, part, plan.rows);
  const across = stretchOf(e, last, segment, plan.columns);
  const outRows = e.let(() => f.get(pictures, down.count).op("i32.mul").i32(inner.outLength).op("i32.mul"));
  const lines = e.let(() => f.get(pictures, down.places).op("i32.mul").i32(inner.length).op("i32.mul"));
  f.get(across.places)
    .op("i32.eqz")
    .if(() => f.i32(0).set(lines));
  const lineOfPicture = [e.get(picture), outer.length * inner.length] as const;
  const firstLine = e.let(e.sum(lineOfPicture, [e.get(down.firstPlace), inner.length]));
  const start = e.let(
    e.sum(
      [e.get(across.firstPlace), last.step * outputs * 4],
      [e.get(across.first), -outputs * 4],
      (last.first + plan.margin) * outputs * 4,
    ),
  );
  return { added, placePanels, products, table, picture, down, across, outRows, lines, firstLine, start };
}

function clearOutputs({ f }: GemmEmitter, { rowBytes }: SpreadPlan, { added, outRows }: Part): void {
  f.get(added).i32(0).get(outRows).i32(rowBytes).op("i32.mul").memoryFill();
}

/** Lines of places whose products are computed together: locals. */
interface Block {
  /** Number of the first line within the part, and how many there are. */
  readonly first: number;
  readonly lines: number;
  /** Places of all lines. */
  readonly places: number;
  /** Counts the lines within the block, in {@link eachLine}. */
  readonly line: number;
}

function eachBlock(e: GemmEmitter, { blockLines }: SpreadPlan, part: Part, body: (block: Block) => void): void {
  const { f } = e;
  const first = e.let(e.constant(0));
  const line = f.local("i32");
  forUpTo(f, first, part.lines, blockLines, () => {
    const lines = e.let(e.least(e.constant(blockLines), () => f.get(part.lines, first).op("i32.sub")));
    const places = e.let(() => f.get(lines, part.across.places).op("i32.mul"));
    body({ first, lines, places, line });
    f.release(lines);
    f.release(places);
  });
}

function eachLine({ f }: GemmEmitter, { line, lines }: Block, body: () => void): void {
  f.i32(0).set(line);
  forUpTo(f, line, lines, 1, body);
}

/** Pushes how many places of a block come before its line. */
function placesBefore({ f }: GemmEmitter, { across }: Part, { line }: Block): Push {
  return () => f.get(line, across.places).op("i32.mul");
}

/** Packs the places of a block as the rows of a matrix. */
function packPlaces(e: GemmEmitter, plan: SpreadPlan, part: Part, block: Block): void {
  const { channels, axes } = plan.shape;
  const { table, across, firstLine, placePanels } = part;
  eachLine(e, block, () => {
    const entries = e.sum([e.get(table), 1], [placesBefore(e, part, block), 4]);
    const line = e.sum([e.get(firstLine), 1], [e.get(block.first), 1], [e.get(block.line), 1]);
    const from = e.sum([e.slot(0), 1], [line, axes[2].length * channels * 4], [e.get(across.firstPlace), channels * 4]);
    e.call("ladder", entries, e.get(across.places), from, e.constant(channels * 4));
  });
  const depth = e.constant(channels);
  e.call("packLeftLines", e.get(table), e.get(block.places), depth, e.get(placePanels), depth, e.constant(0));
}

function multiplyBlock(e: GemmEmitter, { shape, sumStride, columnPanels }: SpreadPlan, part: Part, block: Block): void {
  const operands = [e.get(part.placePanels), e.scratch(0), e.get(part.products)];
  const lengths = [e.constant(shape.channels), e.get(block.places), e.constant(columnPanels)];
  e.call("multiply", ...operands, e.constant(sumStride), ...lengths);
}

/** Adds the products of each line of a block to the rows of outputs that see it: one for each row of weights, or none. */
function addProducts(e: GemmEmitter, plan: SpreadPlan, part: Part, block: Block, spread: number): void {
  const { f } = e;
  const { axes, outputs } = plan.shape;
  const [outer, inner, last] = axes;
  eachLine(e, block, () => {
    const index = e.let(e.sum([e.get(block.first), 1], [e.get(block.line), 1]));
    const pictures = plan.isWhole ? plan.pictures : 1;
    const [picture = 0, down = 0, across = 0] = e.split(index, [pictures, outer.length, inner.length]);
    const from = e.let(e.sum([e.get(part.products), 1], [placesBefore(e, part, block), plan.sumStride]));
    for (let u = 0; u < outer.size; u++) {
      for (let v = 0; v < inner.size; v++) {
        const y = e.let(
          e.sum(
            [e.get(part.down.firstPlace), outer.step],
            [e.get(down), outer.step],
            [e.get(part.down.first), -1],
            outer.first + u * outer.spread,
          ),
        );
        const z = e.let(e.sum([e.get(across), inner.step], inner.first + v * inner.spread));
        f.get(y, part.down.count).op("i32.lt_u").get(z).i32(inner.outLength).op("i32.lt_u").op("i32.and");
        f.if(() => {
          const row = e.sum(
            [e.get(picture), outer.outLength * inner.outLength],
            [e.get(y), inner.outLength],
            [e.get(z), 1],
          );
          e.sum([e.get(from), 1], (u * inner.size + v) * last.size * outputs * 4)();
          e.sum([e.get(part.added), 1], [row, plan.rowBytes], [e.get(part.start), 1])();
          f.get(part.across.places).call(spread);
        });
        f.release(y);
        f.release(z);
      }
    }
    for (const local of [index, picture, down, across, from]) f.release(local);
  });
}

/** Copies the sums of a part, without what lies in their margins, to where the outputs belong. */
function storeOutputs(e: GemmEmitter, { shape, margin, rowBytes }: SpreadPlan, part: Part): void {
  const { outputs, axes } = shape;
  const [outer, inner, last] = axes;
  const { added, picture, down, across, outRows } = part;
  const firstRow = e.sum([e.get(picture), outer.outLength * inner.outLength], [e.get(down.first), inner.outLength]);
  const rowStride = last.outLength * outputs * 4;
  e.call(
    "copyRows",
    e.sum([e.get(added), 1], margin * outputs * 4),
    e.constant(rowBytes),
    e.sum([e.slot(2), 1], [firstRow, rowStride], [e.get(across.first), outputs * 4]),
    e.constant(rowStride),
    e.get(outRows),
    e.sum([e.get(across.count), outputs]),
  );
}
