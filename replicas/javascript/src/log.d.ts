/** The contract's log, as the component finds it. */
declare module "dsms:replica/log@1.0.0" {
  const log: {
    write(level: "debug" | "info" | "warn" | "error", message: string): void;
  };
  export default log;
}
