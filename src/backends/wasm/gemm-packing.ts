/** The functions of the matrix library that move data: into panels, out of panels, element by element. */

import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, countDown, forUpTo, HIGH_PAIRS, LOW_PAIRS, transpose } from "./gemm-loops.ts";
import { isTail, TAIL_ROWS, TILE_ROWS } from "./gemm-tile.ts";

/** Body of `ladder`. */
export function ladder(f: FunctionBuilder): void {
  const [table, count, address, stride] = [0, 1, 2, 3];
  countDown(f, count, 1, () => {
    f.get(table, address).memory("i32.store");
    advance(advanceBy(f, table, 4), address, stride);
  });
}

/**
 * Body of `packLeftLines` and `packRightLines`: lanes whose depths lie one after the other, four lanes and depths at a
 * time, transposed in registers. Loads reach up to three elements past the end of a line.
 */
export function packLines(f: FunctionBuilder, width: number): void {
  const [table, lanes, depth, destination, panelDepth, firstDepth] = [0, 1, 2, 3, 4, 5];
  const to = f.local("i32");
  const offset = f.local("i32");
  const end = f.local("i32");
  const pointers = [0, 1, 2, 3].map(() => f.local("i32"));
  const rows = [0, 1, 2, 3].map(() => f.local("v128"));

  /** Lanes `first` to `first + count - 1` of a panel; past the last lane that one is packed again. */
  const packGroup = (panelWidth: number, first: number, count: number): void => {
    const used = pointers.slice(0, count);
    for (const [i, pointer] of used.entries()) {
      f.get(table).i32(first + i);
      f.get(lanes)
        .i32(1)
        .op("i32.sub")
        .i32(first + i)
        .get(lanes)
        .op("i32.lt_u")
        .op("select");
      f.i32(2).op("i32.shl").op("i32.add").memory("i32.load").set(pointer);
    }
    const load = (): void => {
      for (const [i, pointer] of used.entries())
        f.get(pointer, offset)
          .op("i32.add")
          .memory("v128.load")
          .set(rows[i] ?? 0);
    };
    /** Hands the stores of four depths to `each`. */
    const store = (each: (k: number, write: () => void) => void): void => {
      const at = (k: number): number => (k * panelWidth + first) * 4;
      if (count === 4) {
        transpose(f, rows, (k, push) =>
          each(k, () => {
            f.get(to);
            push();
            f.memory("v128.store", at(k));
          }),
        );
      } else {
        for (let k = 0; k < 4; k++)
          each(k, () => {
            f.get(to, rows[0] ?? 0, rows[1] ?? 0).shuffle(...(k < 2 ? LOW_PAIRS : HIGH_PAIRS));
            f.memoryLane("v128.store64_lane", at(k), k % 2);
          });
      }
    };
    f.get(destination, firstDepth)
      .i32(panelWidth * 4)
      .op("i32.mul")
      .op("i32.add")
      .set(to);
    f.i32(0).set(offset);
    f.get(depth).i32(-4).op("i32.and").i32(2).op("i32.shl").set(end);
    forUpTo(f, offset, end, 16, () => {
      load();
      store((_, write) => write());
      advanceBy(f, to, panelWidth * 16);
    });
    f.get(depth)
      .i32(3)
      .op("i32.and")
      .tee(end)
      .if(() => {
        load();
        store((k, write) => {
          if (k === 0) write();
          else if (k < 3) f.get(end).i32(k).op("i32.gt_u").if(write);
        });
      });
  };

  eachPanel(f, { lanes, destination, panelDepth, position: table }, width, (panelWidth) => {
    for (let first = 0; first < panelWidth; first += 4) packGroup(panelWidth, first, Math.min(4, panelWidth - first));
  });
}

/** Depths that are copied together: as many lines of the source as fit into one set of a cache, should they all fall there. */
const COPIED_DEPTHS = 8;

/**
 * Body of `packLeftCopies` and `packRightCopies`: depths whose lanes lie one after the other are copied, panel by panel for
 * a few depths, so that a cache line is read to its end. Whole panels are read, past the last lane too.
 */
export function packCopies(f: FunctionBuilder, width: number): void {
  const [table, lanes, depth, destination, panelDepth, firstDepth] = [0, 1, 2, 3, 4, 5];
  const lane = f.local("i32");
  const lanesLeft = f.local("i32");
  const panel = f.local("i32");
  const to = f.local("i32");
  const sources = Array.from({ length: COPIED_DEPTHS }, () => f.local("i32"));

  const copy = (depths: number): void => {
    const used = sources.slice(0, depths);
    for (const [k, source] of used.entries())
      f.get(table)
        .memory("i32.load", k * 4)
        .set(source);
    f.i32(0).set(lane).get(lanes).set(lanesLeft).get(destination).set(panel);
    eachPanel(f, { lanes: lanesLeft, destination: panel, panelDepth, position: lane }, width, (panelWidth) => {
      f.get(panel, firstDepth)
        .i32(panelWidth * 4)
        .op("i32.mul")
        .op("i32.add")
        .set(to);
      for (const [k, source] of used.entries()) {
        for (let first = 0; first < panelWidth; first += 4) {
          const name = panelWidth - first < 4 ? "i64" : "v128";
          f.get(to, source, lane)
            .op("i32.add")
            .memory(`${name}.load`, first * 4)
            .memory(`${name}.store`, (k * panelWidth + first) * 4);
        }
      }
    });
    advanceBy(advanceBy(advanceBy(f, table, depths * 4), firstDepth, depths), depth, -depths);
  };

  f.block(() => {
    f.loop(() => {
      f.get(depth).i32(COPIED_DEPTHS).op("i32.lt_u").brIf(1);
      copy(COPIED_DEPTHS);
      f.br(0);
    });
  });
  f.get(depth).if(() => {
    f.loop(() => {
      copy(1);
      f.get(depth).brIf(0);
    });
  });
}

/**
 * Runs `body` for each panel of so many lanes: panels of `width` lanes, smaller ones at the end of the left operand. The
 * locals move on: lanes left, where the panel begins, and `position` by four bytes a lane.
 */
function eachPanel(
  f: FunctionBuilder,
  locals: {
    readonly lanes: number;
    readonly destination: number;
    readonly panelDepth: number;
    readonly position: number;
  },
  width: number,
  body: (width: number) => void,
): void {
  const { lanes, destination, panelDepth, position } = locals;
  /** One panel, written `inside` so many labels of the loop, which goes on unless it was the last. */
  const panel = (panelWidth: number, inside: number): void => {
    body(panelWidth);
    f.get(lanes)
      .i32(panelWidth)
      .op("i32.le_u")
      .brIf(inside + 1);
    advanceBy(advanceBy(f, lanes, -panelWidth), position, panelWidth * 4);
    f.get(destination, panelDepth)
      .i32(panelWidth * 4)
      .op("i32.mul")
      .op("i32.add")
      .set(destination)
      .br(inside);
  };
  f.block(() => {
    f.loop(() => {
      if (width === TILE_ROWS) isTail(f, lanes).if(() => panel(TAIL_ROWS, 1));
      panel(width, 0);
    });
  });
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
