using Layerbox.Cmd;

return Startup.Run(args, Dispatcher.Run);
