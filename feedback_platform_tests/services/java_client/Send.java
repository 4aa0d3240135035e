import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/** Sends messages of several sizes with the client that Java has, as it is; prints the statuses. */
class Send {
    public static void main(String[] arguments) throws Exception {
        URI address = URI.create(arguments[0]);
        for (int size : new int[] {0, 1000, 30_000}) {
            // A client of its own, since only the first request of each offers HTTP/2.
            HttpClient client = HttpClient.newHttpClient();
            for (int turn = 0; turn < 2; turn++) {
                String body = """
                    {"userId": "u", "event": "x", "messageId": "%d-%d", "properties": {"padding": "%s"}}
                    """.formatted(size, turn, "y".repeat(size));
                HttpRequest request =
                    HttpRequest.newBuilder(address).POST(BodyPublishers.ofString(body)).build();
                System.out.println(client.send(request, BodyHandlers.ofString()).statusCode());
            }
        }
    }
}
