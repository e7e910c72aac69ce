using Layerbox.Cmd;
using Layerbox.Posix;

// Not disposed: disposing flushes, and after a failed write that would throw a second time.
BufferedStream output = new(FdStream.StandardOutput, 64 * 1024);
StreamWriter errors = new(FdStream.StandardError) { AutoFlush = true };
return Dispatcher.Run(RawArguments.InvokedAs, RawArguments.Restore(args), new Streams(FdStream.StandardInput, output, errors));
