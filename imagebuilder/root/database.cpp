// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"

namespace imagebuilder::root {
namespace {

using Connection = core::Handle<sqlite3, sqlite3_close_v2>;
using Statement = core::Handle<sqlite3_stmt, sqlite3_finalize>;

void check(sqlite3* connection, int code, const std::string& doing) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  throw core::Error(core::ErrorKind::failed, "cannot finish the rpm database of the image",
                    connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code))
      .add_context(doing);
}

std::string query(sqlite3* connection, const char* text) {
  Statement statement;
  check(connection, sqlite3_prepare_v2(connection, text, -1, statement.out(), nullptr), text);
  std::string result;
  for (;;) {
    const int code = sqlite3_step(statement.get());
    check(connection, code, text);
    if (code != SQLITE_ROW) return result;
    if (const auto* value = sqlite3_column_text(statement.get(), 0); value != nullptr && result.empty())
      result = reinterpret_cast<const char*>(value);
  }
}

/// Counters in the file header (sqlite.org/fileformat.html, section 1.3), big endian: change counter, schema cookie,
/// "version valid for", version of the library that wrote last.
void fix_header(const std::string& path) {
  const auto file = core::open_file(path, O_RDWR);
  const auto put = [&](std::uint64_t offset, std::byte value) {
    const std::array<std::byte, 4> word{std::byte{0}, std::byte{0}, std::byte{0}, value};
    core::pwrite_all(file, word, offset, path);
  };
  put(24, std::byte{1});
  put(40, std::byte{1});
  put(92, std::byte{1});
  put(96, std::byte{0});
}

}  // namespace

void canonicalise_database(const std::string& root_dir, const std::string& database) {
  const std::string path = root_dir + database + "/rpmdb.sqlite";
  {
    Connection connection;
    const int code =
        sqlite3_open_v2(path.c_str(), connection.out(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
    check(connection.get(), code, "opening " + path);
    if (const auto mode = query(connection.get(), "PRAGMA journal_mode=DELETE"); mode != "delete")
      throw core::Error(core::ErrorKind::failed, "cannot finish the rpm database of the image",
                        "its journal mode stays " + mode);
    query(connection.get(), "DROP TABLE IF EXISTS sqlite_stat1");
    query(connection.get(), "VACUUM");
    if (const auto state = query(connection.get(), "PRAGMA integrity_check"); state != "ok")
      throw core::Error(core::ErrorKind::failed, "the rpm database of the image is damaged", state);
  }
  for (const char* suffix : {"-wal", "-shm", "-journal"})
    if (unlink((path + suffix).c_str()) != 0 && errno != ENOENT) core::throw_errno("cannot remove " + path + suffix);
  fix_header(path);
}

std::string sqlite_version() {
  return sqlite3_libversion();
}

}  // namespace imagebuilder::root
