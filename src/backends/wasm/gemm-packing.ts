/** The functions of the matrix library that move data: into panels, out of panels, element by element. */

import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, countDown, forUpTo, HIGH_PAIRS, LOW_PAIRS, transpose } from "./gemm-loops.ts";
import { TAIL_ROWS, TILE_ROWS } from "./gemm-tile.ts";

/** Body of `packLeft` (panels of TILE_ROWS lanes, see {@link wholePanels}) and `packRight` (of TILE_COLUMNS). */
export function packPanels(f: FunctionBuilder, width: number): void {
  const [source, laneStride, lanes, destination, panelDepth] = [0, 1, 3, 5, 6];
  f.block(() => {
    f.loop(() => {
      f.get(lanes).op("i32.eqz").brIf(1);
      const tail = width === TILE_ROWS ? TAIL_ROWS : 0;
      if (tail > 0) {
        f.get(lanes)
          .i32(tail)
          .op("i32.le_u")
          .if(() => {
            packPanel(f, tail);
            f.return();
          });
      }
      packPanel(f, width);
      f.get(lanes).i32(width).op("i32.le_u").brIf(1);
      advanceBy(f, lanes, -width);
      f.get(source, laneStride).i32(width).op("i32.mul").op("i32.add").set(source);
      f.get(destination, panelDepth)
        .i32(width * 4)
        .op("i32.mul")
        .op("i32.add")
        .set(destination)
        .br(0);
    });
  });
}

/** One panel of at most `width` lanes, from the parameters of {@link packPanels}. */
function packPanel(f: FunctionBuilder, width: number): void {
  const [source, laneStride, depthStride, lanes, depth, destination, firstDepth] = [0, 1, 2, 3, 4, 5, 7];
  const from = f.local("i32");
  const to = f.local("i32");
  const rest = f.local("i32");
  const quads = f.local("i32");
  const at = f.local("i32");
  const lane = f.local("i32");
  const rows = [0, 1, 2, 3].map(() => f.local("v128"));
  /** First lanes of groups of four, and whether two lanes remain. */
  const groups = Array.from({ length: width >> 2 }, (_, group) => group * 4);
  const hasPair = width % 4 === 2;

  /** Lanes are contiguous: each depth is a plain copy. */
  const copyDepths = (): void =>
    countDown(f, rest, 1, () => {
      for (const group of groups)
        f.get(to, from)
          .memory("v128.load", group * 4)
          .memory("v128.store", group * 4);
      if (hasPair)
        f.get(to, from)
          .memory("i64.load", width * 4 - 8)
          .memory("i64.store", width * 4 - 8);
      advanceBy(advance(f, from, depthStride), to, width * 4);
    });

  /** Depths are contiguous: four of them at a time, transposed in registers. */
  const transposeDepths = (): void => {
    f.get(rest)
      .i32(-4)
      .op("i32.and")
      .tee(quads)
      .if(() => {
        countDown(f, quads, 4, () => {
          f.get(from).set(at);
          for (const group of groups) {
            for (const row of rows) advance(f.get(at).memory("v128.load").set(row), at, laneStride);
            transpose(f, rows, (k, push) => {
              f.get(to);
              push();
              f.memory("v128.store", (k * width + group) * 4);
            });
          }
          if (hasPair) {
            const pair = rows.slice(0, 2);
            for (const row of pair) advance(f.get(at).memory("v128.load").set(row), at, laneStride);
            for (let k = 0; k < 4; k++) {
              f.get(to, ...pair).shuffle(...(k < 2 ? LOW_PAIRS : HIGH_PAIRS));
              f.memoryLane("v128.store64_lane", (k * width + width - 2) * 4, k % 2);
            }
          }
          advanceBy(advanceBy(f, from, 16), to, width * 16);
        });
      });
    f.get(rest).i32(3).op("i32.and").set(rest);
  };

  /** Any strides and any number of lanes, one element at a time. */
  const gatherDepths = (present: () => FunctionBuilder): void =>
    countDown(f, rest, 1, () => {
      for (const group of groups)
        f.get(to)
          .splatF32(0)
          .memory("v128.store", group * 4);
      if (hasPair)
        f.get(to)
          .i64(0n)
          .memory("i64.store", width * 4 - 8);
      f.get(from).set(at).i32(0).set(lane);
      f.loop(() => {
        f.get(to, lane).i32(2).op("i32.shl").op("i32.add").get(at).memory("f32.load").memory("f32.store");
        advanceBy(advance(f, at, laneStride), lane, 1).get(lane);
        present().op("i32.lt_u").brIf(0);
      });
      advanceBy(advance(f, from, depthStride), to, width * 4);
    });

  f.get(source).set(from).get(depth).set(rest);
  f.get(destination, firstDepth)
    .i32(width * 4)
    .op("i32.mul")
    .op("i32.add")
    .set(to);
  f.get(lanes)
    .i32(width)
    .op("i32.ge_u")
    .if(
      () => {
        f.get(laneStride)
          .i32(4)
          .op("i32.eq")
          .if(copyDepths, () => {
            f.get(depthStride).i32(4).op("i32.eq").if(transposeDepths);
            f.get(rest).if(() => gatherDepths(() => f.i32(width)));
          });
      },
      () => gatherDepths(() => f.get(lanes)),
    );
}

/** Body of `gather`. */
export function gather(f: FunctionBuilder): void {
  const [source, rowStride, columnStride, rows, columns, destination, destinationStride] = [0, 1, 2, 3, 4, 5, 6];
  const from = f.local("i32");
  const to = f.local("i32");
  const end = f.local("i32");
  countDown(f, rows, 1, () => {
    f.get(source).set(from).get(destination).tee(to).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    forUpTo(f, to, end, 4, () => {
      f.get(to, from).memory("f32.load").memory("f32.store");
      advance(f, from, columnStride);
    });
    advance(advance(f, source, rowStride), destination, destinationStride);
  });
}

/** Body of `copyRows`. */
export function copyRows(f: FunctionBuilder): void {
  const [source, sourceStride, destination, destinationStride, rows, columns] = [0, 1, 2, 3, 4, 5];
  const offset = f.local("i32");
  const vectorEnd = f.local("i32");
  const end = f.local("i32");
  f.get(columns).i32(-4).op("i32.and").i32(2).op("i32.shl").set(vectorEnd);
  f.get(columns).i32(2).op("i32.shl").set(end);
  countDown(f, rows, 1, () => {
    const address = (base: number): FunctionBuilder => f.get(base, offset).op("i32.add");
    f.i32(0).set(offset);
    forUpTo(f, offset, vectorEnd, 16, () => {
      address(destination);
      address(source).memory("v128.load").memory("v128.store");
    });
    forUpTo(f, offset, end, 4, () => {
      address(destination);
      address(source).memory("f32.load").memory("f32.store");
    });
    advance(advance(f, source, sourceStride), destination, destinationStride);
  });
}
