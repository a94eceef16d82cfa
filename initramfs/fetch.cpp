// SPDX-License-Identifier: Apache-2.0
#include "initramfs/fetch.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "core/text.hpp"

namespace initramfs {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kPieces = 6;

/// Bytes that are not what they were named; asked for elsewhere before it counts.
struct WrongBytes {
  Failure failure;
};
/// The server answered, but not with the thing.
struct NotThere {
  std::string why;
};

/// Writes and digests what the receiver hands it, beside the receiver: both cost about as much.
class Writer {
 public:
  explicit Writer(core::FdRef to) : to_(to), thread_([this] { run(); }) {
    for (std::size_t i = 0; i < kPieces; ++i) free_.push_back(core::Bytes(kPieceBytes));
  }
  ~Writer() { stop(); }

  core::Bytes take_buffer() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !free_.empty() || error_; });
    if (error_) std::rethrow_exception(error_);
    core::Bytes out = std::move(free_.front());
    free_.pop_front();
    return out;
  }
  void give_back(core::Bytes buffer) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(buffer));
  }
  void hand_over(core::Bytes buffer, std::size_t used) {
    const std::lock_guard lock(mutex_);
    full_.push_back({std::move(buffer), used});
    changed_.notify_all();
  }
  core::Sha256 finish() {
    stop();
    if (error_) std::rethrow_exception(error_);
    return hasher_.finish();
  }

 private:
  struct Piece {
    core::Bytes bytes;
    std::size_t used;
  };

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void run() {
    std::uint64_t offset = 0;
    for (;;) {
      Piece piece;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !full_.empty() || ending_; });
        if (full_.empty()) return;
        piece = std::move(full_.front());
        full_.pop_front();
      }
      try {
        const core::ByteView bytes = core::ByteView(piece.bytes).first(piece.used);
        hasher_.update(bytes);
        core::pwrite_all(to_, bytes, offset);
        offset += piece.used;
      } catch (...) {
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
        changed_.notify_all();
        return;
      }
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(piece.bytes));
      changed_.notify_all();
    }
  }

  core::FdRef to_;
  core::Sha256Hasher hasher_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<core::Bytes> free_;
  std::deque<Piece> full_;
  std::exception_ptr error_;
  bool ending_ = false;
  std::thread thread_;
};

std::string answer_text(int status, const std::string& body) {
  std::string text = "answered " + std::to_string(status);
  const std::string_view line = core::trim(std::string_view(body).substr(0, std::min(body.find('\n'), body.size())));
  if (!line.empty() && line.size() < 200 && line.front() != '<') text += " (" + core::printable(line) + ")";
  return text;
}

}  // namespace

std::string object_target(const core::Sha256& digest) {
  const std::string hex = digest.hex();
  return "objects/sha256/" + hex.substr(0, 2) + "/" + hex;
}

/// What an attempt reports to the retry loop while it runs.
struct Fetcher::Attempt {
  bool progressed = false;
};

Fetcher::Fetcher(FetchWorld world, Patience patience) : world_(std::move(world)), patience_(patience) {}

void Fetcher::set_servers(const std::vector<std::string>& servers) {
  std::vector<Url> urls;
  for (const std::string& text : servers) {
    Url url = parse_base_url(text);
    if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(std::move(url));
  }
  const std::string before = preferred_ < servers_.size() ? servers_[preferred_].text : std::string();
  servers_ = std::move(urls);
  preferred_ = 0;
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (servers_[i].text == before) preferred_ = i;
}

HttpConnection& Fetcher::connection(std::size_t index) {
  const Url& url = servers_[index];
  return connections_.try_emplace(url.text, url, patience_.http).first->second;
}

void Fetcher::retry(std::string_view what, const std::function<void(std::size_t, Attempt&)>& once) {
  if (servers_.empty()) throw Failure(code::kServer, "no server is known to fetch " + std::string(what) + " from");
  double last_progress = world_.now();
  double delay = patience_.first_delay;
  int refused_rounds = 0;
  int wrong = 0;
  const int wrong_limit = std::max(patience_.wrong, static_cast<int>(servers_.size()));
  std::string last_words, noted_words;
  unsigned same_words = 0;
  for (;;) {
    std::size_t refusals = 0;
    const std::size_t first = preferred_;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const std::size_t index = (first + i) % servers_.size();
      Attempt attempt;
      try {
        once(index, attempt);
        preferred_ = index;
        count_.server = servers_[index].text;
        return;
      } catch (const WrongBytes& bad) {
        if (++wrong >= wrong_limit) throw bad.failure;
        last_words = bad.failure.what();
        ++refusals;
      } catch (const NotThere& no) {
        ++refusals;
        last_words = servers_[index].text + " " + no.why;
      } catch (const core::Error& error) {
        if (error.kind() != core::ErrorKind::network && error.kind() != core::ErrorKind::timeout) throw;
        last_words = error.what();
      }
      ++count_.retries;
      // The same words again and again are said at the 1st, 2nd, 4th, 8th ... time.
      same_words = last_words == noted_words ? same_words + 1 : 1;
      if (std::has_single_bit(same_words)) world_.note(std::string(what) + ": " + last_words + "; trying again");
      noted_words = last_words;
      if (attempt.progressed) {
        last_progress = world_.now();
        delay = patience_.first_delay;
      }
    }
    if (refusals == servers_.size() && ++refused_rounds >= patience_.refusals)
      throw Failure(code::kServer, "no server has " + std::string(what) + ": " + last_words, Cure::transient);
    if (world_.now() - last_progress > patience_.unreachable_seconds)
      throw Failure(code::kServer, "cannot fetch " + std::string(what) + ": " + last_words, Cure::transient);
    world_.sleep(delay * (0.75 + 0.5 * world_.random()));
    delay = std::min(delay * 2, patience_.longest_delay);
  }
}

std::string Fetcher::file(const std::string& target, std::uint64_t limit, std::string_view what,
                          const std::function<std::optional<Failure>(const std::string&)>& accept) {
  std::string out;
  retry(what, [&](std::size_t index, Attempt&) {
    auto [head, body] = connection(index).whole({.target = target}, limit);
    count_.bytes += body.size();
    if (head.status != 200) throw NotThere{answer_text(head.status, body)};
    if (auto bad = accept(body)) throw WrongBytes{*bad};
    out = std::move(body);
  });
  return out;
}

std::string Fetcher::object(const core::Sha256& digest, std::optional<std::uint64_t> size, std::uint64_t limit,
                            std::string_view wrong_code, std::string_view what) {
  if (size.value_or(0) > limit)
    throw Failure(wrong_code, std::string(what) + " would be " + core::human_size(*size) + ", more than allowed");
  return file(object_target(digest), size.value_or(limit), what,
              [&](const std::string& body) -> std::optional<Failure> {
                const core::Sha256 got = core::sha256(body);
                if (got == digest && body.size() == size.value_or(body.size())) return std::nullopt;
                return Failure(wrong_code, std::string(what) + " is not what its digest says: expected " +
                                               digest.text() + ", got " + got.text());
              });
}

void Fetcher::object_to(const core::format::ObjectRef& ref, core::FdRef to, std::string_view wrong_code,
                        std::string_view what, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  std::unique_ptr<Writer> writer;
  std::uint64_t done = 0;
  std::set<std::size_t> givers;  // whose bytes are in the file
  bool alone = false;            // one server must give all of it: a mixture was wrong, and who spoilt it is not known
  retry(what, [&](std::size_t index, Attempt& attempt) {
    if (!writer || (alone && !givers.empty() && !givers.contains(index))) {
      writer = std::make_unique<Writer>(to);
      done = 0;
      givers.clear();
    }
    if (done < ref.size) {
      HttpRequest request{.target = object_target(ref.digest)};
      if (done > 0) request.range_from = done;
      HttpConnection& http = connection(index);
      const HttpHead head = http.begin(request);
      std::uint64_t skip = 0;
      if (head.status == 200)
        skip = done;  // the server does not do ranges: read past what we have
      else if (head.status != 206)
        throw NotThere{answer_text(head.status, http.complaint())};
      else if (done == 0 || head.range_first != done || (head.range_total && head.range_total != ref.size))
        throw NotThere{"answered with a range that was not asked for"};
      const std::uint64_t expected = ref.size - done + skip;
      if (head.length && *head.length != expected)
        throw WrongBytes{Failure(wrong_code, std::string(what) +
                                                 " has the wrong length: " + std::to_string(*head.length) +
                                                 " bytes are offered, " + std::to_string(expected) + " were due")};
      while (done < ref.size || skip > 0) {
        core::Bytes buffer = writer->take_buffer();
        const std::uint64_t wanted = std::min<std::uint64_t>(buffer.size(), skip > 0 ? skip : ref.size - done);
        std::size_t n = 0;
        try {
          n = http.read_body(std::span(buffer).first(wanted));
        } catch (...) {
          writer->give_back(std::move(buffer));
          throw;
        }
        if (n == 0) {
          writer->give_back(std::move(buffer));
          throw core::Error(core::ErrorKind::network, "server " + servers_[index].text,
                            "ended " + std::string(what) + " too early");
        }
        attempt.progressed = true;
        count_.bytes += n;
        if (skip > 0) {
          skip -= n;
          writer->give_back(std::move(buffer));
          continue;
        }
        writer->hand_over(std::move(buffer), n);
        done += n;
        givers.insert(index);
        progress(done, ref.size);
      }
    }
    const core::Sha256 digest = writer->finish();
    writer.reset();
    if (digest != ref.digest && givers.size() > 1) {
      alone = true;
      throw core::Error(core::ErrorKind::network, std::string(what), "bytes of several servers do not fit together");
    }
    if (digest != ref.digest)
      throw WrongBytes{Failure(wrong_code, std::string(what) + " is not what its digest says: expected " +
                                               ref.digest.text() + ", got " + digest.text())};
  });
}

std::optional<std::string> Fetcher::ask(const std::string& target, std::uint64_t limit) {
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      try {
        auto [head, body] = connection((preferred_ + i) % servers_.size()).whole({.target = target}, limit);
        count_.bytes += body.size();
        if (head.status == 200) return std::move(body);
        world_.note(servers_[(preferred_ + i) % servers_.size()].text + " " + answer_text(head.status, body));
      } catch (const core::Error& error) {
        world_.note(error.what());
      }
      ++count_.retries;
    }
    if (round == 0) world_.sleep(0.3 + 0.4 * world_.random());
  }
  return std::nullopt;
}

bool Fetcher::post(const std::string& target, const std::string& body, const std::string& content_type, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    if (round > 0)
      world_.sleep(std::min(patience_.first_delay * (1 << round), patience_.longest_delay) *
                   (0.75 + 0.5 * world_.random()));
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const std::size_t index = (preferred_ + i) % servers_.size();
      try {
        const auto [head, text] = connection(index).whole(
            {.method = "POST", .target = target, .body = body, .content_type = content_type}, 4096);
        if (head.status / 100 == 2) return true;
        world_.note(servers_[index].text + " " + answer_text(head.status, text));
      } catch (const core::Error& error) {
        world_.note(error.what());
      }
      ++count_.retries;
    }
  }
  return false;
}

FetchCount Fetcher::take_count() {
  return std::exchange(count_, {});
}

}  // namespace initramfs
