/** The functions of the matrix library that move data: into panels, out of panels, element by element. */

import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, countDown, forUpTo, transpose } from "./gemm-loops.ts";

/** Body of `packPanels4` and `packPanels8`. */
export function packPanels(f: FunctionBuilder, width: 4 | 8): void {
  const [source, laneStride, depthStride, lanes, depth, destination, panelStride] = [0, 1, 2, 3, 4, 5, 6];
  const from = f.local("i32");
  const to = f.local("i32");
  const rest = f.local("i32");
  const quads = f.local("i32");
  const at = f.local("i32");
  const lane = f.local("i32");
  const rows = [0, 1, 2, 3].map(() => f.local("v128"));
  const groups = width === 4 ? [0] : [0, 4];

  /** Lanes are contiguous: each depth is a plain copy. */
  const copyDepths = (): void =>
    countDown(f, rest, 1, () => {
      for (const group of groups)
        f.get(to, from)
          .memory("v128.load", group * 4)
          .memory("v128.store", group * 4);
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
          for (const group of groups) {
            f.get(from);
            if (group > 0) f.get(laneStride).i32(2).op("i32.shl").op("i32.add");
            f.set(at);
            for (const row of rows) advance(f.get(at).memory("v128.load").set(row), at, laneStride);
            transpose(f, rows, (k, push) => {
              f.get(to);
              push();
              f.memory("v128.store", (k * width + group) * 4);
            });
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
      f.get(from).set(at).i32(0).set(lane);
      f.loop(() => {
        f.get(to, lane).i32(2).op("i32.shl").op("i32.add").get(at).memory("f32.load").memory("f32.store");
        advanceBy(advance(f, at, laneStride), lane, 1).get(lane);
        present().op("i32.lt_u").brIf(0);
      });
      advanceBy(advance(f, from, depthStride), to, width * 4);
    });

  f.block(() => {
    f.loop(() => {
      f.get(lanes).op("i32.eqz").brIf(1);
      f.get(source).set(from).get(destination).set(to).get(depth).set(rest);
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
            f.get(lanes).i32(width).op("i32.sub").set(lanes);
          },
          () => {
            gatherDepths(() => f.get(lanes));
            f.i32(0).set(lanes);
          },
        );
      f.get(source, laneStride).i32(width).op("i32.mul").op("i32.add").set(source);
      advance(f, destination, panelStride).br(0);
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
