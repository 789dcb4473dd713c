import type * as grpc from '@grpc/grpc-js';

interface Service {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

/** What somebody adds to a server, without the server. */
export function servicesOf(add: (server: Pick<grpc.Server, 'addService'>) => void): readonly Service[] {
  const services: Service[] = [];
  add({ addService: (definition, implementation) => services.push({ definition, implementation }) });
  return services;
}

/**
 * The handler of a stream that answers each request at once, held to the pace of its caller: while that does not read the
 * answers, no request is read. Otherwise who asks and never reads would have all the answers kept for it.
 */
export function atPaceOfCaller(
  handle: grpc.handleBidiStreamingCall<object, object>,
): grpc.handleBidiStreamingCall<object, object> {
  return call => {
    const write = call.write.bind(call);
    call.write = (...answer: Parameters<typeof write>) => {
      const isRead = write(...answer);
      if (!isRead && !call.isPaused()) {
        call.pause();
        call.once('drain', () => call.resume());
      }
      return isRead;
    };
    handle(call);
  };
}
