/** Neural networks: modules, layers, losses and initializers. */
export { Module } from "./module.ts";
