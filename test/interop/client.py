"""Calls grpc.health.v1.Health/Check with gRPC's C core: ADDRESS CA [CERT KEY]. Prints the answer in hex, or the status."""
import sys
import grpc

address, ca, *pair = sys.argv[1:]
read = lambda path: open(path, "rb").read()
key, cert = (read(pair[1]), read(pair[0])) if pair else (None, None)
credentials = grpc.ssl_channel_credentials(read(ca), key, cert)
with grpc.secure_channel(address, credentials) as channel:
    check = channel.unary_unary("/grpc.health.v1.Health/Check", lambda b: b, lambda b: b)
    try:
        print(check(b"", timeout=5, wait_for_ready=False).hex())
    except grpc.RpcError as error:
        print(error.code().name)
