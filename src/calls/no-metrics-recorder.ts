import type * as grpc from '@grpc/grpc-js';

type MetricsRecorder = ReturnType<grpc.ServerInterceptingCallInterface['getMetricsRecorder']>;

const nothing = () => {};

/**
 * What handlers may record metrics with that nobody asked for: a server of the fabric does not report them (gRFC A51)
 * over HTTP/2 either. grpc-js exports the type without its class.
 */
export const noMetricsRecorder = {
  recordRequestCostMetric: nothing,
  recordUtilizationMetric: nothing,
  recordNamedMetric: nothing,
  recordCPUUtilizationMetric: nothing,
  recordMemoryUtilizationMetric: nothing,
  recordApplicationUtilizationMetric: nothing,
  recordQpsMetric: nothing,
  recordEpsMetric: nothing,
  serialize: (): Buffer => Buffer.alloc(0),
} as unknown as MetricsRecorder;
