// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/rpm/session.hpp"

#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>

#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace imagebuilder::rpm {

void start_session() {
  static bool started = false;
  if (started) return;
  // librpm frees the string when it reads its files again, so it must come from malloc.
  const std::string directory = rpmConfigDir();
  macrofiles = strdup((directory + "/macros:" + directory + "/platform/%{_target}/macros").c_str());
  const std::string rc = directory + "/rpmrc";
  if (rpmReadConfigFiles(rc.c_str(), nullptr) != 0)
    throw core::Error(core::ErrorKind::failed, "cannot read librpm's configuration", rc);
  // Debian's default lies in the builder's home directory.
  set_macro("_dbpath", std::string(kDefaultDatabase));
  started = true;
}

void set_macro(const char* name, const std::string& value) {
  rpmPushMacro(nullptr, name, nullptr, value.c_str(), RMIL_CMDLINE);
}

namespace {
LogCapture* innermost = nullptr;

int keep_message(rpmlogRec record, rpmlogCallbackData data) {
  if (rpmlogRecPriority(record) <= RPMLOG_WARNING) {
    std::string line = rpmlogRecMessage(record);
    while (!line.empty() && line.back() == '\n') line.pop_back();
    static_cast<std::vector<std::string>*>(data)->push_back(std::move(line));
  }
  return 0;  // neither print nor exit
}
}  // namespace

LogCapture::LogCapture() : outer_(std::exchange(innermost, this)) {
  rpmlogSetCallback(keep_message, &lines_);
}
LogCapture::~LogCapture() {
  innermost = outer_;
  if (outer_ != nullptr)
    rpmlogSetCallback(keep_message, &outer_->lines_);
  else
    rpmlogSetCallback(nullptr, nullptr);
}
std::vector<std::string> LogCapture::take() {
  return std::exchange(lines_, {});
}

std::string librpm_version() {
  return RPMVERSION;
}

}  // namespace imagebuilder::rpm
