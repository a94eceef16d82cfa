// SPDX-License-Identifier: Apache-2.0
// Against real sockets on the loopback interface: a server that does what each test's script says.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "initramfs/fetch.hpp"
#include "tests/support/throws.hpp"

using namespace initramfs;

namespace {

/// One answer for each request, in order; the last one repeats. Raw bytes; an answer without Content-Length ends with
/// the connection.
class Server {
 public:
  explicit Server(std::function<std::string(const std::string&, int)> answer) : answer_(std::move(answer)) {
    listener_ = core::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener_.get(), 8) == 0);
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/s/";
    thread_ = std::thread([this] { run(); });
  }
  ~Server() {
    ending_ = true;
    thread_.join();
  }
  std::string url;
  std::atomic<int> requests = 0;

 private:
  void run() {
    while (!ending_) {
      pollfd entry{listener_.get(), POLLIN, 0};
      if (poll(&entry, 1, 20) <= 0) continue;
      const core::Fd one(accept(listener_.get(), nullptr, nullptr));
      serve(one.get());
    }
  }
  void serve(int fd) {
    std::string in;
    while (!ending_) {
      pollfd entry{fd, POLLIN, 0};
      if (poll(&entry, 1, 20) <= 0) continue;
      char buffer[4096];
      const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      in.append(buffer, static_cast<std::size_t>(n));
      const std::size_t end = in.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::string out = answer_(in.substr(0, end), requests++);
      in.clear();
      for (std::size_t at = 0; at < out.size();) {
        const ssize_t sent = send(fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += static_cast<std::size_t>(sent);
      }
      if (out.find("Content-Length") == std::string::npos || out.find("!cut") != std::string::npos ||
          out.find("X-Cut") != std::string::npos)
        return;
    }
  }

  std::function<std::string(const std::string&, int)> answer_;
  core::Fd listener_;
  std::thread thread_;
  std::atomic<bool> ending_ = false;
};

std::string ok(const std::string& body, const std::string& status = "200 OK", const std::string& more = {}) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

struct Clock {
  double time = 0;
  std::vector<std::string> notes;
};

Fetcher fetcher_for(Clock& clock, const std::vector<std::string>& urls, Patience patience = {}) {
  patience.http = {.connect_seconds = 1, .stall_seconds = 0.3};
  Fetcher fetcher({[&] { return clock.time; }, [&](double s) { clock.time += s; },
                   [&](const std::string& n) { clock.notes.push_back(n); }, [] { return 0.5; }},
                  patience);
  fetcher.set_servers(urls);
  return fetcher;
}

const std::string kBody = [] {
  std::string body;
  for (int i = 0; i < 300000; ++i) body += static_cast<char>(i * 7 + i / 256);
  return body;
}();
const core::format::ObjectRef kRef{core::sha256(kBody), kBody.size()};

std::optional<std::uint64_t> range_of(const std::string& request) {
  const std::size_t at = request.find("Range: bytes=");
  if (at == std::string::npos) return std::nullopt;
  return std::stoull(request.substr(at + 13));
}

std::string honest(const std::string& request) {
  const auto from = range_of(request);
  if (!from) return ok(kBody);
  return ok(kBody.substr(*from), "206 Partial Content",
            "Content-Range: bytes " + std::to_string(*from) + "-" + std::to_string(kBody.size() - 1) + "/" +
                std::to_string(kBody.size()) + "\r\n");
}

/// The code of the failure that object_to ends in, or "" when the file is right.
std::string fetch_big(Fetcher& fetcher, const core::format::ObjectRef& ref = kRef) {
  const core::Fd file(memfd_create("test", MFD_CLOEXEC));
  try {
    fetcher.object_to(ref, file, code::kImage, "the image", [](std::uint64_t, std::uint64_t) {});
  } catch (const Failure& failure) {
    return std::string(failure.code());
  }
  lseek(file.get(), 0, SEEK_SET);
  CHECK(core::read_whole(file) == kBody);
  return "";
}

}  // namespace

TEST_CASE("base URLs") {
  CHECK(parse_base_url("http://10.0.0.1:8080/store/").port == 8080);
  CHECK(parse_base_url("http://10.0.0.1/").path == "/");
  CHECK(parse_base_url("http://[fd00::1]:81/a/").host == "fd00::1");
  for (const char* bad : {"", "https://10.0.0.1/", "http://host/", "http://10.0.0.1", "http://10.0.0.1:0/",
                          "http://10.0.0.1:99999/", "http://10.0.0.1/x", "http://10.0.0.1/ /", "http://[fd00::1/",
                          "http://10.0.0.1:80x/", "http:///", "http://10.0.0.1/\r\n/"}) {
    CAPTURE(bad);
    CHECK(tests::contains(tests::thrown_by([&] { return parse_base_url(bad); }), "server"));
  }
}

TEST_CASE("an object, whole, over one kept connection") {
  Server server([](const std::string& request, int) { return honest(request); });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {server.url});
  CHECK(fetcher.object(kRef.digest, kRef.size, 1 << 20, code::kManifest, "it") == kBody);
  CHECK(fetch_big(fetcher) == "");
  CHECK(fetcher.take_count().bytes == 2 * kBody.size());
  CHECK(fetcher.take_count().bytes == 0);
}

TEST_CASE("cut anywhere: resumed where it broke, with a server that does ranges and with one that does not") {
  for (const bool ranges : {true, false}) {
    CAPTURE(ranges);
    Server server([&](const std::string& request, int n) {
      const std::string whole = ranges ? honest(request) : ok(kBody);
      const std::size_t head = whole.find("\r\n\r\n") + 4;
      // Before the head ends, right behind it, and far in the body.
      const std::size_t cuts[] = {10, head, head + 1, head + 70001, head + 140000};
      return n < 5 ? whole.substr(0, 15) + "\r\nX-Cut: 1" + whole.substr(15, cuts[n] < 15 ? 0 : cuts[n] - 15) : whole;
    });
    Clock clock;
    Fetcher fetcher = fetcher_for(clock, {server.url});
    CHECK(fetch_big(fetcher) == "");
    CHECK(fetcher.take_count().retries == 5);
  }
}

TEST_CASE("chunked answers are read too") {
  Server server([](const std::string&, int) {
    return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {server.url});
  CHECK(fetcher.object(core::sha256("hello world"), std::nullopt, 100, code::kManifest, "it") == "hello world");
}

TEST_CASE("a lying server is left for an honest one") {
  Server liar([](const std::string& request, int) {
    std::string out = honest(request);
    out.back() = static_cast<char>(out.back() ^ 1);
    return out;
  });
  Server good([](const std::string& request, int) { return honest(request); });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {liar.url, good.url});
  CHECK(fetch_big(fetcher) == "");
  CHECK(fetcher.object(kRef.digest, kRef.size, 1 << 20, code::kManifest, "it") == kBody);
  CHECK(liar.requests == 1);  // the good one is preferred from then on
}

TEST_CASE("wrong bytes everywhere end in the object's code, not in a loop") {
  Server liar([](const std::string& request, int) {
    std::string out = honest(request);
    out.back() = static_cast<char>(out.back() ^ 1);
    return out;
  });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {liar.url});
  CHECK(fetch_big(fetcher) == "STL-IMAGE");
  CHECK(liar.requests == 2);
  core::format::ObjectRef shorter = kRef;
  shorter.size -= 1;
  CHECK(fetch_big(fetcher, shorter) == "STL-IMAGE");
}

TEST_CASE("answers that are nothing like HTTP, or not what was asked for") {
  const std::string answers[] = {"garbage\r\n\r\n",
                                 ok("", "404 Not Found"),
                                 ok("moved", "302 Found", "Location: http://10.0.0.9/\r\n"),
                                 ok(kBody.substr(5), "206 Partial Content", "Content-Range: bytes 5-299999/300000\r\n"),
                                 ok("", "500 Oops"),
                                 "",
                                 "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\n" + std::string(40000, 'x')};
  for (const std::string& answer : answers) {
    CAPTURE(answer.substr(0, 60));
    Server server([&](const std::string& request, int n) { return n < 2 ? answer : honest(request); });
    Clock clock;
    Fetcher fetcher = fetcher_for(clock, {server.url});
    CHECK(fetch_big(fetcher) == "");
    CHECK(clock.notes.size() >= 2);
  }
}

TEST_CASE("nothing there: bounded, transient, with growing pauses") {
  Server server([](const std::string&, int) { return ok("no such file\n", "404 Not Found"); });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {server.url});
  CHECK(fetch_big(fetcher) == "STL-SERVER");
  CHECK(server.requests == 4);
  CHECK(tests::contains(clock.notes.front(), "404 (no such file)"));
}

TEST_CASE("nobody listens: patience by the clock") {
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {"http://127.0.0.1:1/"});
  CHECK(fetch_big(fetcher) == "STL-SERVER");
  CHECK(clock.time > 180);
  CHECK(clock.time < 200);
}

TEST_CASE("a server that stalls is left") {
  Server stall(
      [](const std::string&, int) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\nabc"); });
  Server good([](const std::string& request, int) { return honest(request); });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {stall.url, good.url});
  // The three bytes of the first count as received and spoil the digest; then one server has to give all of it.
  CHECK(fetch_big(fetcher) == "");
}

TEST_CASE("more than the limit is not held in memory") {
  Server server([](const std::string&, int) { return ok(std::string(100000, 'x')); });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {server.url}, {.unreachable_seconds = 3});
  CHECK_THROWS_AS(fetcher.object(core::sha256("x"), std::nullopt, 1000, code::kShard, "it"), Failure);
  CHECK_THROWS_AS(fetcher.object(core::sha256("x"), 2000, 1000, code::kShard, "it"), Failure);
}

TEST_CASE("ask and post") {
  Server server([](const std::string& request, int n) {
    if (request.starts_with("POST /s/v1/report ")) return ok("", n % 2 ? "204 No Content" : "503 Busy");
    return request.starts_with("GET /s/v1/freshness?x ") ? ok("statement") : ok("", "404 Not Found");
  });
  Clock clock;
  Fetcher fetcher = fetcher_for(clock, {server.url});
  CHECK(fetcher.ask("v1/freshness?x", 100) == "statement");
  CHECK(fetcher.ask("v1/nothing", 100) == std::nullopt);
  CHECK(fetcher.post("v1/report", "{}", "application/json", 3));
  Fetcher nobody = fetcher_for(clock, {"http://127.0.0.1:1/"});
  CHECK_FALSE(nobody.post("v1/report", "{}", "application/json", 2));
  CHECK(nobody.ask("x", 10) == std::nullopt);
}
