/** The check of optional members refuses what a program with `exactOptionalPropertyTypes` could not call. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findExactMembers } from "../../tools/check-optional-members.ts";

function places(text: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "mlx-ts-members-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "entry.ts"), text);
  return findExactMembers(["entry.ts"], folder).map(({ place, message }) => `${place} ${message.split(" ")[0]}`);
}

it("what a function, a method or a field takes admits undefined wherever it is optional", () => {
  expect(places("export interface O { a?: number }\nexport function f(o: O): void {}\n")).toEqual(["entry.ts:1 a"]);
  expect(places("interface P { a?: 1 }\ninterface O extends P {}\nexport const f = (o: O = {}) => {};\n")).toEqual([
    "entry.ts:1 a",
  ]);
  expect(places("export class C {\n  m(o: { a?: () => void }) {}\n}\n")).toEqual(["entry.ts:2 a"]);
  expect(places("export class C {\n  a?: number;\n}\n")).toEqual(["entry.ts:2 a"]);
  expect(places("type F = (o: { a?: 1 }) => void;\nexport const f: F = () => {};\n")).toEqual(["entry.ts:1 a"]);
});

it("with undefined all is well, and so is what callers only receive, or never see", () => {
  expect(places("export function f(o: { a?: number | undefined; b?: unknown }): void {}\n")).toEqual([]);
  expect(places("export function f(then: (o: { a?: number }) => void): { b?: 1 } { return {}; }\n")).toEqual([]);
  expect(places("export class C {\n  readonly a?: 1;\n  private b?: 1;\n  #c?: 1;\n}\n")).toEqual([]);
});
