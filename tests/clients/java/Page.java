// What docs/clients.md shows, in a program: it asks for each tool of its arguments and prints the answers.
import dev.authz.v1.AuthorizationServiceGrpc;
import dev.authz.v1.CheckRequest;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.util.concurrent.TimeUnit;

public class Page {
  static ManagedChannel tcp(int port) {
    @TCP@
    return channel;
  }

  static ManagedChannel unix(String path) {
    @UNIX@
    return channel;
  }

  static boolean ask(ManagedChannel channel, String token, String tool) {
    @ASK@
    return allowed;
  }

  public static void main(String[] arguments) {
    String target = arguments[0];
    ManagedChannel channel = target.startsWith("unix:")
        ? unix(target.substring(5)) : tcp(Integer.parseInt(target.substring(target.indexOf(':') + 1)));
    for (int index = 1; index < arguments.length; index++) {
      System.out.println(arguments[index] + " " + ask(channel, System.getenv("AUTHZ_TOKEN"), arguments[index]));
    }
    System.exit(0);
  }
}
