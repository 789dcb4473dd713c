import { createLogger, type LogFields, type Logger } from '../../src/telemetry/logger.ts';

/** Lines are made as they would be at the level `info`, and go nowhere; `listen` hears of every event, of `debug` too. */
export function listeningLogger(listen: (event: string, fields?: LogFields) => void): Logger {
  const quiet = createLogger({ level: 'info', write: () => {} });
  return {
    ...quiet,
    debug: listen,
    info: (event, fields, message) => {
      listen(event, fields);
      quiet.info(event, fields, message);
    },
  };
}
