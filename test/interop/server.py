"""An echo over mutual TLS with gRPC's C core: CA CERT KEY. Prints its port and serves until its input ends."""
import sys
from concurrent import futures
import grpc

ca, cert, key = (open(path, "rb").read() for path in sys.argv[1:])


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), handlers=[Echo()])
credentials = grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)
print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
server.start()
sys.stdin.read()
server.stop(0)
