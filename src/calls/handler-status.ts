import * as grpc from '@grpc/grpc-js';

type HandlerError = grpc.ServerErrorResponse | Partial<grpc.StatusObject>;
type CallStatus = Parameters<grpc.ServerInterceptingCallInterface['sendStatus']>[0];

/** The status of a call whose handler replied with an error: as grpc-js makes it. */
export function statusOfHandlerError(error: HandlerError, trailing: grpc.Metadata | undefined): CallStatus {
  const metadata = trailing ?? error.metadata ?? null;
  const message = 'message' in error ? error.message : 'Unknown Error';
  if (!Number.isInteger(error.code)) return { code: grpc.status.UNKNOWN, details: message, metadata };
  const details = typeof error.details === 'string' ? error.details : message;
  return { code: error.code ?? grpc.status.UNKNOWN, details, metadata };
}
