package org.maskedkd.cli;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.maskedkd.runtime.ExitCode;
import org.maskedkd.runtime.RunException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Asks processes from outside, where there is no other program to do it, as in an image. */
@Command(
    name = "probe",
    mixinStandardHelpOptions = true,
    description =
        "Asks management ports, such as http://HOST:9402/readyz. Ends with 0 if all say yes, else"
            + " with 69.")
final class ProbeCommand implements Callable<Integer> {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = "URL", arity = "1..*", description = "What to ask.")
  private List<URI> urls = List.of();

  @Override
  public Integer call() throws InterruptedException {
    HttpClient client = HttpClient.newBuilder().connectTimeout(PATIENCE).build();
    int not = 0;
    for (URI url : urls) {
      if (!says(client, url)) {
        not++;
      }
    }
    if (not > 0) {
      throw new RunException(
          ExitCode.PEER_AWAY, "%d of %d did not say yes".formatted(not, urls.size()));
    }
    return ExitCode.DONE.code();
  }

  private boolean says(HttpClient client, URI url) throws InterruptedException {
    if (!"http".equals(url.getScheme()) || url.getHost() == null) {
      throw new RunException(
          ExitCode.USAGE, "'" + url + "' is no URL such as http://127.0.0.1:9402/readyz");
    }
    try {
      HttpResponse<String> answer =
          client.send(
              HttpRequest.newBuilder(url).timeout(PATIENCE).build(), BodyHandlers.ofString());
      spec.commandLine()
          .getOut()
          .println(url + ": " + answer.statusCode() + " " + answer.body().strip());
      return answer.statusCode() == 200;
    } catch (IOException e) {
      spec.commandLine().getOut().println(url + ": " + e);
      return false;
    }
  }
}
