/** Which tile of a product a workgroup computes. */
import type { Shader } from "./wgsl-shader.ts";

/** Names of i32 that say where a tile stands. */
export interface TilePlace {
  readonly row: string;
  readonly column: string;
  readonly batch: string;
  readonly slice: string;
}

/** Rows of tiles that are walked together: what neighbouring workgroups read is then still in the cache. */
const band = 8;

/** Takes the place of a workgroup apart: tiles by bands of rows, then batches, then slices. */
export function tilePlace(
  shader: Shader,
  place: string,
  tiles: { readonly rows: number; readonly columns: number },
  batches: number,
  slices: number,
): TilePlace {
  const count = tiles.rows * tiles.columns;
  const isSingle = batches === 1 && slices === 1;
  const tile = isSingle ? place : shader.let("tile", `${place} % ${count}`);
  const rest = isSingle ? "0" : shader.let("rest", `${place} / ${count}`);
  const batch = batches === 1 ? "0" : slices === 1 ? rest : shader.let("batch", `${rest} % ${batches}`);
  const slice = slices === 1 ? "0" : shader.let("slice", batches === 1 ? rest : `${rest} / ${batches}`);
  if (tiles.rows <= band) {
    return {
      row: shader.let("row", `${tile} % ${tiles.rows}`),
      column: shader.let("column", `${tile} / ${tiles.rows}`),
      batch,
      slice,
    };
  }
  const first = shader.let("first", `(${tile} / ${band * tiles.columns}) * ${band}`);
  const height = shader.let("height", `min(${band}, ${tiles.rows} - ${first})`);
  const within = shader.let("within", `${tile} - ${first} * ${tiles.columns}`);
  return {
    row: shader.let("row", `${first} + ${within} % ${height}`),
    column: shader.let("column", `${within} / ${height}`),
    batch,
    slice,
  };
}
