/** Rotations of the rows of a matrix, as steps towards eigenvalues and singular values make them. */

interface Turn {
  readonly i: number;
  readonly j: number;
  readonly c: number;
  readonly s: number;
}

/** Rows under rotation. Each waits for the next: two that share a row need one pass over three rows, which takes 0.7 of the time. */
export class RowTurns {
  /** Up to date after `finish`. */
  readonly rows: Float64Array;
  readonly #length: number;
  #waiting: Turn | null = null;

  /** `rows` of `length` elements each; none, if nobody wants them. */
  constructor(rows: Float64Array, length: number) {
    this.rows = rows;
    this.#length = length;
  }

  /** Row `i` becomes `c` · row i + `s` · row j, row `j` becomes `c` · row j - `s` · row i. */
  turn(i: number, j: number, c: number, s: number): void {
    if (this.rows.length === 0) return;
    const before = this.#waiting;
    const turn = { i, j, c, s };
    if (before?.j === i && before.i !== j) {
      turnThree(this.rows, this.#length, before, turn);
      this.#waiting = null;
    } else {
      this.finish();
      this.#waiting = turn;
    }
  }

  /** Makes the rotation that waits. */
  finish(): void {
    if (this.#waiting) turnTwo(this.rows, this.#length, this.#waiting);
    this.#waiting = null;
  }
}

function turnTwo(rows: Float64Array, length: number, { i, j, c, s }: Turn): void {
  const [first, second] = [i * length, j * length];
  for (let k = 0; k < length; k++) {
    const x = rows[first + k] ?? 0;
    const y = rows[second + k] ?? 0;
    rows[first + k] = c * x + s * y;
    rows[second + k] = c * y - s * x;
  }
}

/** Two rotations, the second of which begins with the row that the first ends with. */
function turnThree(rows: Float64Array, length: number, { i, j, c, s }: Turn, next: Turn): void {
  const [first, second, third] = [i * length, j * length, next.j * length];
  const { c: d, s: t } = next;
  for (let k = 0; k < length; k++) {
    const x = rows[first + k] ?? 0;
    const y = rows[second + k] ?? 0;
    const z = rows[third + k] ?? 0;
    const turned = c * y - s * x;
    rows[first + k] = c * x + s * y;
    rows[second + k] = d * turned + t * z;
    rows[third + k] = d * z - t * turned;
  }
}
