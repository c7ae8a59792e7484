/** What the packages export: every name, with the declarations behind it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { listPackages, rootPath } from "./root.ts";

/** One name that an entry exports. */
export interface PublicExport {
  /** Dotted within a namespace: `random.normal`. */
  readonly name: string;
  /** Whether it is a type alone. */
  readonly isType: boolean;
  /** Whether it is a function or a class. */
  readonly isCallable: boolean;
  readonly declarations: readonly ts.Declaration[];
  /** Of the program that the declarations are in. */
  readonly checker: ts.TypeChecker;
}

/** The source files behind the `exports` of the root's package and of those in `packages`, from the repository's root. */
export function listEntries(): readonly string[] {
  return [".", ...listPackages()].flatMap((folder) => {
    const { exports } = JSON.parse(readFileSync(join(rootPath, folder, "package.json"), "utf8"));
    const targets: unknown[] = Object.values(Object(exports)).map((target) => Object(target).types);
    const declarations = targets.filter((target) => typeof target === "string");
    return declarations.map((path) => join(folder, path.replace(/^\.\/dist\//, "src/").replace(/\.d\.ts$/, ".ts")));
  });
}

/** What the entries, paths from `root`, export; what several of them do comes once for each. */
export function listPublicExports(entries: readonly string[], root: string = rootPath): readonly PublicExport[] {
  const program = ts.createProgram(
    entries.map((path) => join(root, path)),
    {
      allowImportingTsExtensions: true,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      noEmit: true,
      noLib: true,
      baseUrl: rootPath,
      paths: ts.readConfigFile(join(rootPath, "tsconfig.json"), ts.sys.readFile).config.compilerOptions.paths,
      target: ts.ScriptTarget.ES2022,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  return entries.flatMap((path) => {
    const entry = program.getSourceFile(join(root, path));
    const symbol = entry && checker.getSymbolAtLocation(entry);
    if (symbol === undefined) throw new Error(`${path} exports nothing`);
    return exportsOf(symbol, checker, "");
  });
}

function exportsOf(module: ts.Symbol, checker: ts.TypeChecker, prefix: string): readonly PublicExport[] {
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const target = isAlias ? checker.getAliasedSymbol(exported) : exported;
    const isType = (target.flags & ts.SymbolFlags.Value) === 0 || (exported.declarations ?? []).some(isTypeOnly);
    const type = checker.getTypeOfSymbol(target);
    const isCallable = !isType && [...type.getCallSignatures(), ...type.getConstructSignatures()].length > 0;
    const name = `${prefix}${exported.name}`;
    const own = { name, isType, isCallable, declarations: target.declarations ?? [], checker };
    const isNamespace = (target.flags & ts.SymbolFlags.ValueModule) !== 0;
    return isNamespace ? [own, ...exportsOf(target, checker, `${name}.`)] : [own];
  });
}

/** Whether a name is exported by `export type { … }`. */
function isTypeOnly(declaration: ts.Declaration): boolean {
  return ts.isExportSpecifier(declaration) && (declaration.isTypeOnly || declaration.parent.parent.isTypeOnly);
}
