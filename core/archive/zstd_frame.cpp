// SPDX-License-Identifier: Apache-2.0
// ZSTD_getFrameHeader, which tells whether a frame has a checksum, is in the part of the interface that upstream only
// promises for static linking; it has been unchanged since 1.3.
#define ZSTD_STATIC_LINKING_ONLY
#include "core/archive/zstd_frame.hpp"

#include <zstd.h>

#include "core/error.hpp"
#include "core/handle.hpp"

namespace core::archive {
namespace {

using Compressor = Handle<ZSTD_CCtx, ZSTD_freeCCtx>;
using Decompressor = Handle<ZSTD_DCtx, ZSTD_freeDCtx>;

std::size_t check(std::size_t code, const std::string& name) {
  if (ZSTD_isError(code) != 0) throw Error(ErrorKind::failed, "cannot compress " + name, ZSTD_getErrorName(code));
  return code;
}

constexpr int kWindowLogMax = 27;  // 128 MiB: the most memory that a frame can make us take

}  // namespace

void compress_frame(FdRef from, FdRef to, int level, const std::string& name) {
  const Compressor context(ZSTD_createCCtx());
  if (!context) throw Error(ErrorKind::failed, "cannot compress " + name, "out of memory");
  const std::uint64_t size = size_of(from, name);
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level), name);
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1), name);
  check(ZSTD_CCtx_setPledgedSrcSize(context.get(), size), name);
  Bytes in(ZSTD_CStreamInSize());
  Bytes out(ZSTD_CStreamOutSize());
  for (std::uint64_t offset = 0;;) {
    const std::size_t count = pread_upto(from, in, offset, name);
    offset += count;
    const ZSTD_EndDirective directive = count < in.size() ? ZSTD_e_end : ZSTD_e_continue;
    ZSTD_inBuffer input{in.data(), count, 0};
    for (;;) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t left = check(ZSTD_compressStream2(context.get(), &output, &input, directive), name);
      write_all(to, ByteView(out).first(output.pos));
      const bool finished = directive == ZSTD_e_end ? left == 0 : input.pos == input.size;
      if (finished) break;
    }
    if (directive == ZSTD_e_end) return;
  }
}

struct FrameReader::State {
  State(FdRef a_file, std::string a_source) : file(a_file), source(std::move(a_source)) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw ParseError(source, Position::at_offset(position()), why);
  }
  std::uint64_t position() const { return read - (input.size - input.pos); }

  FdRef file;
  std::string source;
  Decompressor context{ZSTD_createDCtx()};
  Bytes in = Bytes(ZSTD_DStreamInSize());
  Bytes out = Bytes(ZSTD_DStreamOutSize());
  ZSTD_inBuffer input{nullptr, 0, 0};
  std::uint64_t read = 0;  ///< bytes taken from the file
  std::uint64_t size = 0;  ///< of the content
  std::uint64_t given = 0;
  bool at_end = false;

  void fill() {
    const std::size_t count = pread_upto(file, in, read, source);
    read += count;
    input = {in.data(), count, 0};
  }
};

FrameReader::FrameReader(FdRef file, std::string source, std::uint64_t most_bytes)
    : state_(std::make_unique<State>(file, std::move(source))) {
  if (!state_->context) throw Error(ErrorKind::failed, "cannot unpack " + state_->source, "out of memory");
  ZSTD_DCtx_setParameter(state_->context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  state_->fill();
  ZSTD_frameHeader header{};
  const std::size_t code = ZSTD_getFrameHeader(&header, state_->in.data(), state_->input.size);
  if (code != 0 || header.frameType != ZSTD_frame) state_->fail("is not one zstd frame");
  if (header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN) state_->fail("the zstd frame does not say its content size");
  if (header.checksumFlag == 0) state_->fail("the zstd frame has no checksum");
  if (header.frameContentSize > most_bytes) {
    state_->fail("holds " + std::to_string(header.frameContentSize) + " bytes, more than the limit of " +
                 std::to_string(most_bytes));
  }
  state_->size = header.frameContentSize;
}

FrameReader::~FrameReader() = default;

std::uint64_t FrameReader::content_size() const {
  return state_->size;
}

ByteView FrameReader::next() {
  State& s = *state_;
  while (!s.at_end) {
    if (s.input.pos == s.input.size) s.fill();
    const bool file_ended = s.input.size == 0;
    ZSTD_outBuffer output{s.out.data(), s.out.size(), 0};
    const std::size_t code = ZSTD_decompressStream(s.context.get(), &output, &s.input);
    if (ZSTD_isError(code) != 0) s.fail(std::string("damaged zstd frame: ") + ZSTD_getErrorName(code));
    s.given += output.pos;
    if (code == 0) {
      s.at_end = true;
      if (s.input.pos != s.input.size || s.position() != size_of(s.file, s.source))
        s.fail("bytes behind the zstd frame");
      if (s.given != s.size) s.fail("the zstd frame holds another number of bytes than it says");
    } else if (file_ended && output.pos == 0) {
      s.fail("ends too early");
    }
    if (output.pos != 0) return ByteView(s.out).first(output.pos);
  }
  return {};
}

}  // namespace core::archive
