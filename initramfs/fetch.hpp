// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fetching from several servers until it works or patience ends: retries with growing delay and jitter, resume at any
/// byte, and nothing handed out that does not have the size and digest it was named by.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/fd.hpp"
#include "core/format/types.hpp"
#include "initramfs/failure.hpp"
#include "initramfs/http.hpp"

namespace initramfs {

/// What fetching needs of the world besides sockets; tests pass a clock that does not wait.
struct FetchWorld {
  std::function<double()> now;                   ///< seconds, monotonic
  std::function<void(double)> sleep;             ///< seconds
  std::function<void(const std::string&)> note;  ///< something went wrong and is tried again: a sentence
  std::function<double()> random;                ///< 0 to 1, for jitter
};

struct Patience {
  double unreachable_seconds = 180;  ///< no server gave a byte for so long
  int refusals = 4;                  ///< rounds in which every server answered, none with the thing
  int wrong = 2;                     ///< answers with wrong bytes before giving up, at least one a server
  double first_delay = 0.2, longest_delay = 5;
  HttpLimits http;
};

/// What one stage of the boot fetched, for its record.
struct FetchCount {
  std::uint64_t bytes = 0, retries = 0;
  std::string server;
};

/// The fetching that boot.cpp needs; tests fake it.
class Source {
 public:
  virtual ~Source() = default;

  /// Base URLs in order of preference; the one that answered last is asked first. Replaces the list.
  virtual void set_servers(const std::vector<std::string>& servers) = 0;

  /// A small file by name, its bytes unverified: `accept` says why it is not right, or nothing. An answer that is not
  /// accepted is asked for elsewhere and then thrown.
  virtual std::string file(const std::string& target, std::uint64_t limit, std::string_view what,
                           const std::function<std::optional<Failure>(const std::string&)>& accept) = 0;

  /// A small object whole. Wrong bytes from every server end in `wrong_code`.
  virtual std::string object(const core::Sha256& digest, std::optional<std::uint64_t> size, std::uint64_t limit,
                             std::string_view wrong_code, std::string_view what) = 0;

  /// One question to a live server: the first answer of status 200, asked of each server at most twice; nothing when
  /// none answers so.
  virtual std::optional<std::string> ask(const std::string& target, std::uint64_t limit) = 0;

  /// True when a server took it (2xx). Each server is tried `rounds` times.
  virtual bool post(const std::string& target, const std::string& body, const std::string& content_type,
                    int rounds) = 0;

  virtual FetchCount take_count() = 0;
};

class Fetcher : public Source {
 public:
  Fetcher(FetchWorld world, Patience patience);

  /// \throws core::Error of kind parse for a URL that cannot be used
  void set_servers(const std::vector<std::string>& servers) override;
  std::string file(const std::string& target, std::uint64_t limit, std::string_view what,
                   const std::function<std::optional<Failure>(const std::string&)>& accept) override;
  std::string object(const core::Sha256& digest, std::optional<std::uint64_t> size, std::uint64_t limit,
                     std::string_view wrong_code, std::string_view what) override;
  std::optional<std::string> ask(const std::string& target, std::uint64_t limit) override;
  bool post(const std::string& target, const std::string& body, const std::string& content_type, int rounds) override;
  FetchCount take_count() override;

  /// An object into the empty file `to`, digest taken while it streams in, resumed where a connection broke.
  /// `progress` is told bytes done and in all.
  void object_to(const core::format::ObjectRef& ref, core::FdRef to, std::string_view wrong_code, std::string_view what,
                 const std::function<void(std::uint64_t, std::uint64_t)>& progress);

 private:
  struct Attempt;
  HttpConnection& connection(std::size_t index);
  void retry(std::string_view what, const std::function<void(std::size_t, Attempt&)>& once);

  FetchWorld world_;
  Patience patience_;
  std::vector<Url> servers_;
  std::map<std::string, HttpConnection> connections_;  // by URL text
  std::size_t preferred_ = 0;
  FetchCount count_;
};

/// `objects/sha256/ab/abcd...`
std::string object_target(const core::Sha256& digest);

}  // namespace initramfs
